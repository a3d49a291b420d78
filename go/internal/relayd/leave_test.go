package relayd

import (
	"testing"

	"microvm-console/internal/journal"
)

// The launcher makes the relay record the exit cause and the guest's restarts, whether
// the relay is that of a service, one in the launcher, or one in place of a stopped
// service.
func TestLeaseRecordsTheEnd(t *testing.T) {
	for _, test := range []struct {
		name               string
		service, isStopped bool
	}{
		{"service", true, false}, {"in the launcher", false, false}, {"stopped service", true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := Config{Name: "serial", Settings: in(testFolders(t))}
			stop := func() {}
			if test.service {
				_, stop = run(t, config)
			}
			lease, err := Attach(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := machine(t).WriteString("first\n"); err != nil {
				t.Fatal(err)
			}
			if err := lease.NoteRestart(t.Context()); err != nil {
				t.Error(err)
			}
			if test.isStopped {
				stop()
			}
			if _, err := machine(t).WriteString("last\n"); err != nil {
				t.Fatal(err)
			}
			if err := lease.AwaitDrained(); err != nil {
				t.Error(err)
			}
			if unread := lease.Unread(); unread != 0 {
				t.Errorf("%d bytes are not in the journal", unread)
			}
			if err := lease.EndBoot(t.Context(), "powered off"); err != nil {
				t.Error(err)
			}
			dir := lease.Relay.Consoles[0].Relay.Journal
			if err := lease.Leave(); err != nil {
				t.Error(err)
			}
			stop()
			kept, err := journal.TakeSnapshot(dir)
			if err != nil {
				t.Fatal(err)
			}
			boot, err := kept.Boot(0)
			if err != nil || len(boot.Restarts) != 1 || boot.How != "powered off" {
				t.Errorf("%+v, %v", boot, err)
			}
		})
	}
}

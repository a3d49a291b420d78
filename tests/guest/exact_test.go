package guest

import (
	"net/http"
	"testing"
	"time"

	"microvm-console/tests/internal/harness"
)

// TestExact has the guest print numbered lines on both consoles at once. No client is attached
// for the first half of them, then one of each kind. In the journal and at each client, no line
// is missing, repeated or out of order.
func TestExact(t *testing.T) {
	t.Parallel()
	dir := harness.OwnFolders(t)
	vm := harness.Start(t, harness.DemoProgram(t, "microvm-run"), "--auto-ports")
	vm.Expect(`console  hvc0   tcp localhost:\d+`, 1)
	shells(t, dir)
	printing := harness.Consoles(t, dir)
	begin := time.Now()
	for _, console := range printing {
		harness.Request(t, dir, http.MethodPost, "/input?console="+console.Name, harness.PrintLines()).Body.Close()
	}
	clients := attachHalfWay(t, dir, printing)
	for place, console := range printing {
		for _, client := range clients[place] {
			client.Await(t, console, harness.LinesLimit())
		}
		t.Logf("%s: %d lines, the last one seen after %.1f s", console.Device, *harness.Lines, time.Since(begin).Seconds())
	}
	after := harness.Consoles(t, dir)
	harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-shutdown"))
	if code := vm.Status(); code != 0 {
		t.Errorf("microvm-run has status %d", code)
	}
	for place, console := range after {
		if !console.Relay.Exact || len(console.Relay.Gaps) > 0 {
			t.Errorf("%s: %+v", console.Device, console)
		}
		journal := console.ReadJournal(t)
		harness.CheckLines(t, console.Device+", the journal", journal)
		for _, client := range clients[place] {
			harness.CheckLines(t, console.Device+", "+client.Kind, client.Got())
			client.Compare(t, console, journal)
		}
	}
}

// shells logs in on both consoles, stops the kernel's messages there, and disconnects.
func shells(t *testing.T, dir string) {
	t.Helper()
	for _, console := range harness.Consoles(t, dir) {
		terminal := harness.Shell(t, console.Relay.Socket)
		terminal.Cmd.Process.Kill()
		terminal.Status() // wait for its end
	}
	harness.AwaitNoClients(t, dir)
}

// attachHalfWay attaches a client of each kind to each console when half of its lines are
// printed. No client may be attached before.
func attachHalfWay(t *testing.T, dir string, before []harness.Console) [][]*harness.Client {
	t.Helper()
	programs := []string{harness.DemoProgram(t, "connect-serial"), harness.DemoProgram(t, "connect-console")}
	clients := make([][]*harness.Client, len(before))
	for late := time.Now().Add(harness.LinesLimit()); clients[0] == nil || clients[1] == nil; time.Sleep(10 * time.Millisecond) {
		for place, now := range harness.Consoles(t, dir) {
			half := before[place].Relay.End + harness.LinesBytes(*harness.Lines/2)
			if clients[place] != nil || now.Relay.End < half {
				continue
			}
			if there := now.Relay.Clients; len(there) > 0 {
				t.Errorf("%s: %v are attached already", now.Device, there)
			}
			printed := 100 * (now.Relay.End - before[place].Relay.End) / harness.LinesBytes(*harness.Lines)
			t.Logf("%s: %d %% were printed when the clients connected", now.Device, printed)
			clients[place] = harness.ClientOfEachKind(t, dir, now, programs[place], half, harness.LinesEnd)
		}
		if time.Now().After(late) {
			t.Fatalf("half of the lines are not printed within %v: %+v", harness.LinesLimit(), harness.Consoles(t, dir))
		}
	}
	return clients
}

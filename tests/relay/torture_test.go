package relay

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"microvm-console/tests/internal/harness"
)

// torture has the parameters of TestTorture.
type torture struct {
	kills    int   // SIGKILLs of the relay
	restarts int   // SIGKILLs of QEMU
	bytes    int64 // the least number of bytes that each channel prints
}

// tortureSeed is the seed of all random choices.
const tortureSeed = 2027

// TestTorture kills and restarts the relay at random moments, and a QEMU that prints numbered
// lines in bursts on three channels. Meanwhile clients of all kinds connect and disconnect, and
// some do not read. No line is missing or repeated in the journals, each client receives its
// range until it disconnects or is cut off, and a running relay always answers.
func TestTorture(t *testing.T) {
	dose := torture{kills: 30, restarts: 6, bytes: 24 << 20}
	if *harness.Long {
		dose = torture{kills: 200, restarts: 50, bytes: 128 << 20}
	}
	harness.OwnFolders(t)
	ports, settings := freePorts(t, "serial", "debugcon")
	writeSettings(t, `"retentionMiB": 65536, "boots": 100000, `+settings)
	relay := startRelay(t, channels...)
	relay.ports = ports
	vm := newFakeQEMU(t, channels...)
	ctx, stop := context.WithCancel(t.Context())
	begin := time.Now()
	answers := pollRelay(ctx, relay, channels)
	if err := dose.boot(relay, vm); err != nil {
		t.Fatal(err)
	}
	clients := startClients(ctx, relay, channels, -1, 50)
	if err := dose.apply(relay, vm); err != nil {
		t.Error(err)
	}
	stop()
	clients.report(t)
	answers.report(t)
	checkStates(t, channels)
	relay.stop()
	total := int64(0)
	for _, name := range channels {
		checkJournal(t, name, vm.printed[name])
		total += vm.total(name)
	}
	t.Logf("%d SIGKILLs of the relay, %d of QEMU; %d MB printed, %.0f s",
		dose.kills, dose.restarts, total/1e6, time.Since(begin).Seconds())
}

// boot boots vm, which prints until it is killed.
func (dose torture) boot(relay *relayProcess, vm *fakeQEMU) error {
	const rate = 4 << 20
	return vm.boot(relay, func(string) int64 { return dose.bytes }, rate, false)
}

// apply kills vm and the relay at random moments. It boots vm after each kill, and once more at
// the end.
func (dose torture) apply(relay *relayProcess, vm *fakeQEMU) error {
	boot := func() error { return dose.boot(relay, vm) }
	killed, restarted := make(chan struct{}, dose.kills), make(chan error, 1)
	go func() { restarted <- vm.restarts(relay, dose.kills/dose.restarts, killed, boot) }()
	random := rand.New(rand.NewPCG(tortureSeed, 1))
	for i := range dose.kills {
		moment := 100 * time.Millisecond
		if i%2 == 0 {
			moment = 5 * time.Millisecond // while the relay reads the full FIFO
		}
		time.Sleep(time.Duration(random.Int64N(int64(moment))))
		relay.killAndRestart()
		killed <- struct{}{}
	}
	close(killed)
	if err := errors.Join(<-restarted, vm.kill()); err != nil {
		return err
	}
	// The last boot prints the rest without pauses, up to the last line.
	left := func(name string) int64 { return max(1<<20, dose.bytes-vm.total(name)) }
	err := vm.boot(relay, left, 0, true)
	return errors.Join(err, vm.await())
}

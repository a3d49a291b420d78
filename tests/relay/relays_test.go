package relay

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// channels has the channels of docs/relays.md.
var channels = []string{"serial", "monitor", "debugcon"}

// printingChannels has the channels that the boot sector prints on.
var printingChannels = []string{"serial", "debugcon"}

// runQEMU is the path of the script with which docs/relays.md starts QEMU.
const runQEMU = harness.Root + "/scripts/run-qemu.sh"

// unitName returns the name of the service of a channel.
func unitName(channel string) string { return "qemu-" + channel + "-relay.service" }

// startUnits starts the services of all channels, as docs/relays.md does.
func startUnits(t *testing.T) {
	t.Helper()
	harness.Must(t, harness.Root, "qemu-relay", "units", "--install")
	systemctl(t, "daemon-reload")
	systemctl(t, "enable", "--now", unitName("serial"), unitName("monitor"), unitName("debugcon"))
}

// systemctl runs systemctl --user.
func systemctl(t *testing.T, args ...string) {
	t.Helper()
	harness.Must(t, harness.Root, "systemctl", append([]string{"--user"}, args...)...)
}

// bootLog returns the journal of a boot: 0 is the last one, -1 the one before.
func bootLog(t *testing.T, channel string, boot int) string {
	t.Helper()
	log := harness.NewCommand(t, "qemu-relay", "log", "--boot", strconv.Itoa(boot), channel)
	var complaint strings.Builder
	log.Stderr = &complaint
	text, err := log.Output()
	if err != nil {
		t.Fatalf("qemu-relay log --boot %d %s: %v: %s", boot, channel, err, &complaint)
	}
	return string(text)
}

// TestRelaysKeepEveryByteOf20Boots runs 20 boots, each of which prints from its first instruction
// to its last. Every byte is in the journal of its boot once, and a client that stays connected
// receives it once.
func TestRelaysKeepEveryByteOf20Boots(t *testing.T) {
	t.Parallel()
	if !harness.InSystemdAsUser(t) {
		return
	}
	startUnits(t)
	const lines, boots = 3000, 20
	clients := map[string]*harness.Session{}
	for _, channel := range printingChannels {
		clients[channel] = harness.Start(t, "socat", "-u", "unix:/tmp/qemu-"+channel+".sock", "-")
	}
	args := bootSector(t, lines, true)
	for boot := range boots {
		harness.Must(t, harness.Root, "./scripts/run-qemu.sh", args...)
		for _, channel := range printingChannels {
			if err := checkLines(bootLog(t, channel, 0), lines, 1); err != nil {
				t.Errorf("boot %d, %s: %v", boot, channel, err)
			}
		}
	}
	for _, channel := range printingChannels {
		for back := range 10 { // the default of boots
			if err := checkLines(bootLog(t, channel, -back), lines, 1); err != nil {
				t.Errorf("boot -%d, %s: %v", back, channel, err)
			}
		}
		clients[channel].Expect(`line `+strconv.Itoa(lines-1)+`\r\n`, boots)
		text := clients[channel].Printed()
		if err := checkLines(text, lines, boots); err != nil {
			t.Errorf("%s, the client: %v", channel, err)
		}
	}
}

// TestRelaysKeepEveryByteOverRestarts restarts, stops and kills the services while QEMU prints.
// Every byte is kept once.
func TestRelaysKeepEveryByteOverRestarts(t *testing.T) {
	t.Parallel()
	if !harness.InSystemdAsUser(t) {
		return
	}
	startUnits(t)
	const lines = 200_000
	commands := [][]string{
		{"kill", "--signal=KILL"}, {"kill", "--signal=KILL"}, {"restart"}, {"stop"}, {"start"}, {"start"},
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	vm := harness.Start(t, runQEMU, bootSector(t, lines, true)...)
	first := harness.Start(t, "cat", "/tmp/qemu-serial.out")
	first.Expect(`line 0\r\n`, 1)
	count := 0
	for running := true; running; count++ {
		command := commands[random.IntN(len(commands))]
		channel := channels[random.IntN(len(channels))]
		// A service that is stopped cannot be killed, which is not an error.
		_, _ = harness.Command(t, harness.Root, "systemctl", append(append([]string{"--user"}, command...), unitName(channel))...)
		select {
		case <-vm.Ended:
			running = false
		default:
		}
	}
	if status := vm.Status(); status != 0 {
		text := vm.Printed()
		t.Errorf("run-qemu.sh: status %d\n%s", status, text)
	}
	t.Logf("%d commands", count)
	for _, channel := range printingChannels {
		if err := checkLines(bootLog(t, channel, 0), lines, 1); err != nil {
			t.Errorf("%s: %v", channel, err)
		}
	}
}

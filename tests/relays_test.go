package tests

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// channels are those of docs/relays.md.
var channels = []string{"serial", "monitor", "debugcon"}

// printing are the ones that the boot sector prints on.
var printing = []string{"serial", "debugcon"}

// unit is the name of a channel's service.
func unit(channel string) string { return "qemu-" + channel + "-relay.service" }

// relays starts the services of all channels, as docs/relays.md does.
func relays(t *testing.T) {
	t.Helper()
	must(t, root, "qemu-relay", "units", "--install")
	systemctl(t, "daemon-reload")
	systemctl(t, "enable", "--now", unit("serial"), unit("monitor"), unit("debugcon"))
}

// systemctl gives an order to the user's own systemd.
func systemctl(t *testing.T, args ...string) {
	t.Helper()
	must(t, root, "systemctl", append([]string{"--user"}, args...)...)
}

// logOf is what the relay has kept of a boot: 0 is the last one, -1 the one before.
func logOf(t *testing.T, channel string, boot int) string {
	t.Helper()
	log := newCommand(t, "qemu-relay", "log", "--boot", strconv.Itoa(boot), channel)
	var complaint strings.Builder
	log.Stderr = &complaint
	text, err := log.Output()
	if err != nil {
		t.Fatalf("qemu-relay log --boot %d %s: %v: %s", boot, channel, err, &complaint)
	}
	return string(text)
}

// 20 boots, each of which prints from its first instruction until its last: every
// byte is there, once, in the journal of its boot, and at a client that stays.
func TestRelaysKeepEveryByteOf20Boots(t *testing.T) {
	t.Parallel()
	if !asUser(t) {
		return
	}
	relays(t)
	const lines, boots = 3000, 20
	clients := map[string]*session{}
	for _, channel := range printing {
		clients[channel] = start(t, "socat", "-u", "unix:/tmp/qemu-"+channel+".sock", "-")
	}
	args := bootSector(t, lines, true)
	for boot := range boots {
		must(t, root, "./scripts/run-qemu.sh", args...)
		for _, channel := range printing {
			if err := checkLines(logOf(t, channel, 0), lines, 1); err != nil {
				t.Errorf("boot %d, %s: %v", boot, channel, err)
			}
		}
	}
	for _, channel := range printing {
		for back := range 10 { // so many are kept
			if err := checkLines(logOf(t, channel, -back), lines, 1); err != nil {
				t.Errorf("%d boots back, %s: %v", back, channel, err)
			}
		}
		clients[channel].expect(`line `+strconv.Itoa(lines-1)+`\r\n`, boots)
		text, _ := clients[channel].look()
		if err := checkLines(text, lines, boots); err != nil {
			t.Errorf("%s, the client: %v", channel, err)
		}
	}
}

// Whatever is done to the services while QEMU prints, every byte is there, once.
func TestRelaysKeepEveryByteWhateverIsDoneToThem(t *testing.T) {
	t.Parallel()
	if !asUser(t) {
		return
	}
	relays(t)
	const lines = 200_000
	orders := [][]string{
		{"kill", "--signal=KILL"}, {"kill", "--signal=KILL"}, {"restart"}, {"stop"}, {"start"}, {"start"},
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	vm := start(t, "../scripts/run-qemu.sh", bootSector(t, lines, true)...)
	first := start(t, "cat", "/tmp/qemu-serial.out")
	first.expect(`line 0\r\n`, 1)
	given := 0
	for running := true; running; given++ {
		order := orders[random.IntN(len(orders))]
		channel := channels[random.IntN(len(channels))]
		// What is stopped cannot be killed: that is no fault.
		_, _ = command(t, root, "systemctl", append(append([]string{"--user"}, order...), unit(channel))...)
		select {
		case <-vm.ended:
			running = false
		default:
		}
	}
	if status := vm.status(); status != 0 {
		text, _ := vm.look()
		t.Errorf("run-qemu.sh: status %d\n%s", status, text)
	}
	t.Logf("%d orders", given)
	for _, channel := range printing {
		if err := checkLines(logOf(t, channel, 0), lines, 1); err != nil {
			t.Errorf("%s: %v", channel, err)
		}
	}
}

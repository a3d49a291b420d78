package attach

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/ctl"
	"microvm-console/internal/follow"
	"microvm-console/internal/relay"
	"microvm-console/internal/relayd"
	"microvm-console/internal/rundir"
	"microvm-console/internal/settings"
)

func TestQEMUWatch(t *testing.T) {
	for _, test := range []struct{ name, states, want string }{
		// A state is one query: r for a QEMU that runs, e for one that has ended, E if the
		// cause is recorded too.
		{"runs", "rrr", ""},
		{"not started", "eEE", ""},
		{"ends", "rEEE", "[QEMU ended: powered off; waiting]\r\n"},
		{"ends, and the cause comes later", "reEE", "[QEMU ended: powered off; waiting]\r\n"},
		{"ends without a cause", "reee", "[QEMU has ended; waiting]\r\n"},
		{"ends twice", "rErE", strings.Repeat("[QEMU ended: powered off; waiting]\r\n", 2)},
		{"runs again before the cause is recorded", "rere", ""},
	} {
		var text strings.Builder
		w := qemuWatch{notices: onScreen(newOutput(&text, Options{}, true, true), false), next: "waiting"}
		for _, state := range test.states {
			w.update(state == 'r', func() string { return map[rune]string{'E': "powered off"}[state] })
		}
		if diff := cmp.Diff(test.want, text.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// A terminal on a channel prints a notice when QEMU ends, even if it only watches.
func TestTerminalOnAChannel(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	set := settings.Default()
	set.Directory = t.TempDir()
	channel, err := relayd.Open(relayd.Config{Name: "serial", Settings: set})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	running := make(chan error, 1)
	go func() { running <- channel.Run(ctx) }()
	defer func() {
		cancel()
		<-running
	}()
	dir := rundir.OfChannel("serial")
	// The shell has the VM side of the relay open, as QEMU does, until its input ends.
	qemu := exec.Command("sh", "-c", `exec 3<>"$1"; echo text >&3; read -r line`, "sh", relay.VMPath(dir.Path())+".out")
	input, err := qemu.StdinPipe()
	if err == nil {
		err = qemu.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	client := ctl.Client{Path: dir.Ctl()}
	for attached := false; !attached; {
		status, err := client.ChannelStatus(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		attached = status.Consoles[0].Relay.Attached
	}
	s := newScreen(t, false)
	ended := s.start(Options{Place: follow.Place{Channel: "serial"}, ReadOnly: true})
	s.await("text")
	input.Close()
	if err := qemu.Wait(); err == nil {
		t.Error("the shell read a line")
	}
	s.await("[QEMU ")
	s.await("waiting for its next start (Ctrl-] leaves)]")
	s.press("\x1d")
	if err := result(t, ended); err != nil {
		t.Error(err)
	}
}

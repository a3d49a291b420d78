package vm

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/internal/ctl"
	"microvm-console/internal/guest"
	"microvm-console/internal/relay"
)

const (
	bootText  = "[    0.000000] Linux version 6.1\r\n[    1.0] booting\r\n"
	panicText = "[    1.753817] Kernel panic - not syncing: no root\r\n[    1.8] Call Trace:\r\n[    1.9]  panic+0x1\r\n"
	deadText  = panicText + "[    2.0] ---[ end Kernel panic - not syncing: no root ]---\r\n"
)

func TestPanicEndsTheMachine(t *testing.T) {
	for _, test := range []struct {
		name, text string
		words      []string
		message    string
	}{
		{"a restart behind the panic line", bootText + panicText, []string{"fake.reset"}, "Kernel panic - not syncing: no root"},
		{"the panic device, with the kernel's words", bootText + panicText, []string{"fake.panicked"}, "Kernel panic - not syncing: no root"},
		{"the panic device alone", bootText, []string{"fake.panicked"}, "QEMU's panic device says so; no console shows the kernel's words"},
		{"many lines before it", strings.Repeat(bootText, 5000) + panicText, []string{"fake.reset"}, "Kernel panic - not syncing: no root"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, options := range []Options{{AutoPorts: true}, {AutoPorts: true, NoRelay: true}} {
				v, ended := runWith(t, machine(t, append(test.words, "fake.print="+printed(t, test.text))...), options)
				var panicked *guest.Error
				if err := <-ended; !errors.As(err, &panicked) || panicked.Message != test.message {
					t.Errorf("Run: %v, want %s (without relay: %t)", err, test.message, options.NoRelay)
				}
				if err := v.Leftovers(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// Text alone is believed once an agent that has answered is silent, and every console.
func TestPanicByTextAlone(t *testing.T) {
	const doubt = `ttyS0 ends with "Kernel panic - not syncing: no root", which is no proof: `
	for _, test := range []struct {
		name, agent string
		also        bool   // another console prints later
		noted       string // "": it is believed
	}{
		{"an agent that is silent now", "fake.agent=freezes", false, ""},
		{"an agent that answers", "fake.agent", false, doubt + "the guest's agent still answers"},
		{"no agent", "fake.none", false, doubt + "no agent has answered before"},
		{"a console that goes on", "fake.agent=freezes", true, doubt + "another console has printed since"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, ended := run(t, machine(t, "fake.print="+printed(t, bootText+loginText), "fake.again="+printed(t, "\r\n"+deadText), test.agent))
			if err := ready(t, v); err != nil {
				t.Fatal(err)
			}
			started(t, v) // a login may be seen before that
			await(t, "agent", func() bool { return v.Status().Agent || test.agent == "fake.none" })
			if err := v.Break(t.Context(), "serial"); err != nil {
				t.Fatal(err)
			}
			if test.also {
				await(t, "panic", func() bool { return v.guest.Suspect() != nil })
				typist, err := v.consoles.all()[1].Relay().Typist(relay.TypistInfo{})
				if err != nil {
					t.Fatal(err)
				}
				defer typist.Close()
				io.WriteString(typist, "it lives\n") // and is echoed
			}
			if test.noted == "" {
				var panicked *guest.Error
				if err := <-ended; !errors.As(err, &panicked) || panicked.Message != "Kernel panic - not syncing: no root" {
					t.Errorf("Run: %v", err)
				}
				return
			}
			await(t, "note", func() bool { return len(v.Status().Notes) > 0 })
			if note := v.Status().Notes[0].Text; !strings.HasPrefix(note, test.noted) {
				t.Errorf("noted %q, want %q", note, test.noted)
			}
			stop(t, v, ended)
		})
	}
}

// A guest that restarts, or prints a panic's words, runs on.
func TestNoPanic(t *testing.T) {
	for _, test := range []struct {
		name, text string
		words      []string
	}{
		{"a restart that was asked for", bootText + "[    9.0] reboot: Restarting system\r\n", []string{"fake.reset"}},
		{"words printed by a user", bootText + deadText + "root@demo:~# ", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, ended := run(t, machine(t, append(test.words, "fake.print="+printed(t, test.text))...))
			started(t, v)
			for v.Tails(1)[0].Bytes < int64(len(test.text)) {
				select {
				case err := <-ended:
					t.Fatalf("Run: %v", err)
				default:
				}
			}
			v.outputs.awaitRead()
			if _, err := v.Stop(t.Context(), ctl.StopRequest{Force: true}); err != nil {
				t.Error(err)
			}
			if err := <-ended; err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
}

func TestQEMUThatCrashesIsAnError(t *testing.T) {
	_, ended := run(t, machine(t, "fake.die=9"))
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "QEMU was killed by SIGKILL") {
		t.Errorf("Run: %v", err)
	}
}

// printed is a file with text.
func printed(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

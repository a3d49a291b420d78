package candidates_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/candidates"
	"microvm-console/internal/journal"
	"microvm-console/internal/rundir"
	"microvm-console/internal/vmconfig"
)

// keep keeps a boot for each way to end, in a journal.
func keep(t *testing.T, dir string, err error, ends ...string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(dir, journal.DefaultRetention)
	if err != nil {
		t.Fatal(err)
	}
	for _, end := range ends {
		if _, err := j.Boot(); err != nil {
			t.Fatal(err)
		}
		if _, err := j.Write([]byte("text")); err != nil {
			t.Fatal(err)
		}
		j.EndBoot(end)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// private gives the test folders of its own.
func private(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_STATE_HOME", filepath.Join(dir, "state"))
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "config"))
	t.Setenv("QEMU_RELAY_CONFIG", "")
	t.Setenv("XDG_RUNTIME_DIR", dir)
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
}

// plain returns words without the time in their notes.
func plain(words []candidates.Word) []string {
	var texts []string
	for _, word := range words {
		note := word.Note
		if _, how, ok := strings.Cut(note, ", "); ok {
			note = how
		}
		texts = append(texts, strings.TrimRight(word.Text+" "+note, " "))
	}
	return texts
}

func TestWhatIsKept(t *testing.T) {
	private(t)
	dir, err := rundir.Of("demo").Journal("console")
	keep(t, dir, err, "powered off", "panicked: no root")
	dir, err = rundir.Of("other").Journal("serial")
	keep(t, dir, err, "powered off")
	dir, err = rundir.OfChannel("hvc9").Journal()
	keep(t, dir, err, "exited with status 0")
	lock, err := rundir.Of("fresh").Acquire()
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()

	own := []vmconfig.Console{{Name: "log", Device: "ttyS1"}}
	for _, test := range []struct {
		name  string
		words []candidates.Word
		want  []string
	}{
		{"VMs", candidates.VMs(), []string{"demo panicked: no root", "fresh running", "other powered off"}},
		{"channels", candidates.Channels(""), []string{
			"serial no QEMU has been started", "monitor no QEMU has been started", "debugcon no QEMU has been started",
			"hvc9 exited with status 0",
		}},
		{"boots of a VM", candidates.Boots(candidates.Place{VM: "demo"}), []string{"0 panicked: no root", "-1 powered off"}},
		{"boots of a device", candidates.Boots(candidates.Place{VM: "demo", Console: "hvc0"}), []string{"0 panicked: no root", "-1 powered off"}},
		{"boots of a channel", candidates.Boots(candidates.Place{Channel: "hvc9"}), []string{"0 exited with status 0"}},
		{"boots of the only VM that runs, which has none", candidates.Boots(candidates.Place{}), nil},
		{"boots of an unknown VM", candidates.Boots(candidates.Place{VM: "none"}), nil},
		{"consoles of a vm.json", candidates.Consoles(candidates.Place{VM: "demo", Consoles: own}), []string{"log ttyS1"}},
		{"consoles of another VM", candidates.Consoles(candidates.Place{VM: "demo"}), []string{"serial ttyS0", "console hvc0"}},
		{"consoles of a channel", candidates.Consoles(candidates.Place{Channel: "serial"}), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, plain(test.words)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Without anything kept, the channels are those of the settings.
func TestNothingIsKept(t *testing.T) {
	private(t)
	if words := candidates.VMs(); len(words) > 0 {
		t.Errorf("VMs %v", words)
	}
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, []byte(`{"channels": {"monitor": {"enable": false}, "com2": {}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, word := range candidates.Channels(path) {
		names = append(names, word.Text)
	}
	if diff := cmp.Diff([]string{"serial", "debugcon", "com2"}, names); diff != "" {
		t.Error(diff)
	}
	if words := candidates.Boots(candidates.Place{}); len(words) > 0 {
		t.Errorf("boots %v", words)
	}
}

package logs

import (
	"testing"

	"microvm-console/internal/journal"
	"microvm-console/internal/rundir"
	"microvm-console/internal/settings"
)

func TestCheckChannel(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	t.Setenv(settings.Variable, "")
	dir, err := rundir.OfChannel("uart9").Journal()
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(dir, journal.DefaultRetention)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if _, err := j.Boot(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"serial": "", "uart9": "",
		"seriall": `unknown channel "seriall" (did you mean serial?)`,
		"com2":    `unknown channel "com2" (known: serial, monitor, debugcon; declare others in the settings file)`,
		"../x":    `invalid channel name "../x": want lower-case letters, digits and dashes, a letter first, at most 32`,
	} {
		got := ""
		if err := CheckChannel(name); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	t.Setenv(settings.Variable, t.TempDir()+"/none.json")
	if err := CheckChannel("com2"); err != nil {
		t.Errorf("without settings: %v", err)
	}
}

package flake

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// TestNamedPrograms runs the commands of docs/own-vm.md for two VMs in one profile, each with a
// program of its own, which has a manual page and completion. The package tools is in the
// profile too.
func TestNamedPrograms(t *testing.T) {
	t.Parallel()
	section := harness.Section(t, "docs/own-vm.md", "## More than one VM")
	folder := harness.UserFlake(t, harness.Block(t, section, "nix"))
	t.Cleanup(func() { // if a command fails before the last one
		for _, name := range []string{"web", "db"} {
			_, _ = harness.Command(t, folder, "./profile/bin/"+name, "shutdown", "--force")
		}
	})
	commands := strings.Replace(harness.Block(t, section, "sh"), "readlink -f", "readlink -f "+harness.Build(t, "tools"), 1)
	output := typeCommands(t, folder, "set -x\n"+commands)
	for _, want := range []string{
		"web run: READY after", "\nweb\n", "web login:", "\nweb: ready", "web: shut down by ", "db: shut down by ", " 0 failed",
	} {
		if !strings.Contains(output, want) {
			t.Errorf("no %q in:\n%s", want, output)
		}
	}
	for _, file := range []string{
		"bin/microvm-run", "share/man/man1/web.1", "share/man/man1/db.1", "share/bash-completion/completions/web",
		"share/zsh/site-functions/_db", "share/fish/vendor_completions.d/web.fish", "share/microvm/web/vm.json",
	} {
		if _, err := os.Stat(filepath.Join(folder, "profile", file)); err != nil {
			t.Error(err)
		}
	}

	// Arguments, completion and exit statuses pass through.
	web := filepath.Join(folder, "profile/bin/web")
	for command, want := range map[string]string{
		`%s run --ac --generate-bash-completion`: "--accel\t",
		`%s run --help`:                          "Usage: web run [options]",
		`%s run --dry-run --accel tcg`:           "-accel tcg",
		`%s exec -- true || echo "status $?"`:    "web exec: vm \"web\": not running; last boot ",
	} {
		text := harness.Must(t, folder, "bash", "-c", strings.Replace(command, "%s", web, 1)+" 2>&1")
		if !strings.Contains(text, want) {
			t.Errorf("%s: no %q in:\n%s", command, want, text)
		}
		if strings.Contains(command, "status") && !strings.Contains(text, "status 3") {
			t.Error(text)
		}
	}
}

package release

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// filesBelow returns the paths of the files below dir, relative to it.
func filesBelow(t *testing.T, dir string) (paths []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// Each program has its version, its man page and its completions.
func testPrograms(t *testing.T, r release) {
	prefix := r.prefix
	for _, name := range programs(t, filepath.Join(prefix, "bin")) {
		if got, want := harness.Must(t, "/", filepath.Join(prefix, "bin", name), "--version"), name+" version "+version(t)+"\n"; got != want {
			t.Errorf("%s --version printed %q, want %q", name, got, want)
		}
		for _, path := range []string{"man/man1/NAME.1", "bash-completion/completions/NAME", "zsh/site-functions/_NAME", "fish/vendor_completions.d/NAME.fish"} {
			path = filepath.Join(prefix, "share", strings.ReplaceAll(path, "NAME", name))
			text := strings.ReplaceAll(harness.ReadFile(t, path), `\-`, "-") // roff escapes hyphens
			if !strings.Contains(text, name) {
				t.Errorf("%s does not name %s", path, name)
			}
		}
	}
}

// The units for all users, and those that a user makes, start the installed program.
func testUnits(t *testing.T, r release) {
	prefix, config := r.prefix, t.TempDir()
	harness.Setenv(t, "XDG_CONFIG_HOME", config)
	harness.Setenv(t, "PATH", filepath.Join(prefix, "bin")+":"+harness.Getenv(t, "PATH"))
	harness.Must(t, "/", "qemu-relay", "units", "--install")
	for _, dir := range []string{filepath.Join(prefix, "lib/systemd/user"), filepath.Join(config, "systemd/user")} {
		for _, channel := range []string{"serial", "monitor", "debugcon"} {
			unit := harness.ReadFile(t, filepath.Join(dir, "qemu-"+channel+"-relay.service"))
			if want := "\nExecStart=\"" + prefix + "/bin/qemu-relay\" serve " + channel + "\n"; !strings.Contains(unit, want) {
				t.Errorf("%s: no %q in\n%s", dir, want, unit)
			}
		}
	}
}

// In a home, the units are where systemd looks for them.
func testInAHome(t *testing.T, r release) {
	home := t.TempDir()
	harness.Setenv(t, "HOME", home)
	harness.Must(t, r.tarball, "./install.sh", "--prefix", filepath.Join(home, ".local"))
	harness.ReadFile(t, filepath.Join(home, ".local/share/systemd/user/qemu-serial-relay.service"))
}

// A new version removes the files of the old one that it does not have, and --uninstall
// all of them, but no file of another program.
func testUpgradeAndUninstall(t *testing.T, r release) {
	prefix, tarball := filepath.Join(t.TempDir(), "prefix"), r.tarball
	for _, path := range []string{"bin/other", "bin/old-program", "share/doc/microvm-console/installed"} {
		path = filepath.Join(prefix, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		harness.WriteFile(t, path, "bin/old-program\n")
	}
	harness.Must(t, tarball, "./install.sh", "--prefix", prefix)
	first := filesBelow(t, prefix)
	if slices.Contains(first, "bin/old-program") || !slices.Contains(first, "bin/other") || !slices.Contains(first, "bin/run-test") {
		t.Errorf("after the upgrade there are %q", first)
	}
	harness.Must(t, tarball, "./install.sh", "--prefix", prefix)
	if again := filesBelow(t, prefix); !slices.Equal(first, again) {
		t.Errorf("the second time installed %q, the first %q", again, first)
	}
	harness.Must(t, tarball, "./install.sh", "--prefix", prefix, "--uninstall")
	if left := filesBelow(t, prefix); !slices.Equal(left, []string{"bin/other"}) {
		t.Errorf("not removed: %q", left)
	}
}

// Each refusal is one line.
func testInstallRefuses(t *testing.T, r release) {
	tarball, empty := r.tarball, t.TempDir()
	for _, refusal := range []struct {
		name string
		args []string
		want string
	}{
		{"no permission", []string{"--prefix", "/proc/none"}, "install.sh: /proc/none/bin: cannot write there (run this with sudo, or install below your home: --prefix ~/.local)\n"},
		{"nothing to remove", []string{"--prefix", empty, "--uninstall"}, "install.sh: " + empty + ": microvm-console is not installed there (name the folder with --prefix)\n"},
		{"an unknown option", []string{"--destdir", "/x"}, "usage: install.sh [--prefix DIR] [--uninstall]\n"},
		{"a prefix without a folder", []string{"--prefix"}, "usage: install.sh [--prefix DIR] [--uninstall]\n"},
	} {
		if output, err := harness.Command(t, tarball, "./install.sh", refusal.args...); err == nil || output != refusal.want {
			t.Errorf("%s: it printed %q (%v), want %q", refusal.name, output, err, refusal.want)
		}
	}
}

// The installed programs build a guest on another kernel, and its consoles work.
func testOwnKernel(t *testing.T, r release) {
	prefix, parts := r.prefix, harness.PartsOfDemo(t)
	harness.OwnFolders(t)
	harness.Setenv(t, "PATH", filepath.Join(prefix, "bin")+":"+harness.Getenv(t, "PATH"))
	folder := filepath.Join(t.TempDir(), "own-kernel")
	harness.Must(t, "/", "cp", "-r", filepath.Join(prefix, "share/doc/microvm-console/examples/own-kernel"), folder)
	harness.Must(t, folder, "bash", "-euxc", `
ln -s "$1" bzImage
mkdir -p modules/lib
ln -s "$2" modules/lib/modules
ln -s "$3" busybox
ln -s "$(command -v microvm-agent)" .
microvm-initrd --output initrd guest.json`, "make", parts.Kernel, parts.Modules, parts.Busybox)
	if output := harness.Must(t, folder, "run-test", "--config", "vm.json", "--lines", "2000"); !strings.Contains(output, " 0 failed") {
		t.Errorf("run-test printed:\n%s", output)
	}
}

var (
	code = regexp.MustCompile("(?s)```.*?```|`[^`]*`")
	link = regexp.MustCompile(`\]\(([^)\s#]+)[^)\s]*\)`)
)

// checkLinks fails if a relative link of an installed document leads nowhere.
func checkLinks(t *testing.T, documents string) {
	t.Helper()
	links := 0
	for _, name := range filesBelow(t, documents) {
		if filepath.Ext(name) != ".md" {
			continue
		}
		text := code.ReplaceAllString(harness.ReadFile(t, filepath.Join(documents, name)), "code")
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(match[1], "://") {
				continue
			}
			links++
			if _, err := os.Stat(filepath.Join(documents, filepath.Dir(name), match[1])); err != nil {
				t.Errorf("%s links to %s, which is not installed", name, match[1])
			}
		}
	}
	if links < 50 {
		t.Errorf("only %d links in %s", links, documents)
	}
}

func testLinks(t *testing.T, r release) {
	checkLinks(t, filepath.Join(r.prefix, "share/doc/microvm-console"))
}

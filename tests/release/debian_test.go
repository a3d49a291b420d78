package release

import (
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// The Debian package has the files of the tarball, for the prefix /usr. To build nfpm,
// which makes it, takes minutes.
func testDebianPackage(t *testing.T, r release) {
	harness.OnlyAll(t)
	if _, err := harness.Command(t, "/", "dpkg-deb", "--version"); err != nil {
		harness.Skip(t, "dpkg-deb", "install dpkg")
	}
	file := filepath.Join(r.files, "microvm-console_"+version(t)+"_amd64.deb")
	if got := harness.Must(t, "/", "dpkg-deb", "--field", file, "Version"); got != version(t)+"\n" {
		t.Errorf("its version is %q", got)
	}
	root := t.TempDir()
	harness.Must(t, "/", "dpkg-deb", "--extract", file, root)
	for _, name := range programs(t, filepath.Join(r.tarball, "bin")) {
		if harness.ReadFile(t, filepath.Join(root, "usr/bin", name)) != harness.ReadFile(t, filepath.Join(r.tarball, "bin", name)) {
			t.Errorf("%s is not the program of the tarball", name)
		}
		for _, path := range []string{"man/man1/NAME.1.gz", "bash-completion/completions/NAME", "zsh/vendor-completions/_NAME"} {
			harness.ReadFile(t, filepath.Join(root, "usr/share", strings.ReplaceAll(path, "NAME", name)))
		}
	}
	unit := harness.ReadFile(t, filepath.Join(root, "usr/lib/systemd/user/qemu-serial-relay.service"))
	if want := "\nExecStart=/usr/bin/qemu-relay serve serial\n"; !strings.Contains(unit, want) {
		t.Errorf("no %q in\n%s", want, unit)
	}
	harness.ReadFile(t, filepath.Join(root, "usr/share/doc/microvm-console/copyright"))
	checkLinks(t, filepath.Join(root, "usr/share/doc/microvm-console"))
}

package release

import (
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// release is what the tests share: they only read it.
type release struct {
	files   string // the folder that scripts/build has filled
	tarball string // the folder of the unpacked tarball
	prefix  string // where install.sh has installed it
}

// build builds the files of a release of a checkout. The Debian package is among them only
// if the flag -all is set.
func build(t *testing.T, checkout, output string) {
	t.Helper()
	args := []string{"--output", output}
	if !*harness.All {
		args = append(args, "--no-deb")
	}
	harness.Must(t, checkout, "scripts/build", args...)
}

// newRelease builds a release, unpacks and installs it.
func newRelease(t *testing.T) release {
	t.Helper()
	dir, name := t.TempDir(), "microvm-console-"+version(t)+"-linux-amd64"
	r := release{dir, filepath.Join(dir, name), filepath.Join(dir, "a prefix")}
	build(t, harness.Root, dir)
	harness.Must(t, dir, "tar", "-xzf", name+".tar.gz")
	harness.Must(t, r.tarball, "./install.sh", "--prefix", r.prefix)
	return r
}

// One release is built for all tests.
func TestRelease(t *testing.T) {
	t.Parallel()
	made := newRelease(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, release)
	}{
		{"Reproducible", testReproducible},
		{"Static", testStatic},
		{"Licenses", testLicenses},
		{"TopOfTheTarball", testTopOfTheTarball},
		{"Links", testLinks},
		{"Programs", testPrograms},
		{"Units", testUnits},
		{"InAHome", testInAHome},
		{"UpgradeAndUninstall", testUpgradeAndUninstall},
		{"InstallRefuses", testInstallRefuses},
		{"OwnKernel", testOwnKernel},
		{"DebianPackage", testDebianPackage},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, made)
		})
	}
}

// version is the one that the programs of this checkout have.
func version(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(harness.ReadFile(t, filepath.Join(harness.Root, "VERSION")))
}

// programs returns the names of the programs in a folder, which has to have some.
func programs(t *testing.T, bin string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(bin)
	if err != nil || len(entries) < 10 {
		t.Fatalf("%d programs in %s (%v)", len(entries), bin, err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// A second build has the same bytes, although another user makes it in another folder,
// with another umask, locale and time zone, of files that are newer.
func testReproducible(t *testing.T, r release) {
	dir := t.TempDir()
	checkout, second := filepath.Join(dir, "checkout"), filepath.Join(dir, "second")
	harness.Must(t, harness.Root, "bash", "-euo", "pipefail", "-c",
		`umask 077; mkdir "$1"; git ls-files -z --cached --others --exclude-standard | xargs -0 tar -cf - | tar -C "$1" -xmf -`, "copy", checkout)
	commit := harness.Must(t, harness.Root, "git", "log", "-1", "--format=%ct")
	harness.Setenv(t, "SOURCE_DATE_EPOCH", strings.TrimSpace(commit))
	harness.Setenv(t, "TZ", "Asia/Tokyo")
	harness.Setenv(t, "LC_ALL", "C.UTF-8")
	harness.Setenv(t, "GOFLAGS", "-tags=other")
	build(t, checkout, second)
	sums := harness.ReadFile(t, filepath.Join(r.files, "SHA256SUMS"))
	if again := harness.ReadFile(t, filepath.Join(second, "SHA256SUMS")); again != sums {
		t.Errorf("the first build:\n%sthe second:\n%s", sums, again)
	}
	harness.Must(t, second, "sha256sum", "--check", "SHA256SUMS")
}

// The programs are static: they run on any Linux, and in a guest without libraries.
func testStatic(t *testing.T, r release) {
	bin := filepath.Join(r.tarball, "bin")
	for _, name := range programs(t, bin) {
		program, err := elf.Open(filepath.Join(bin, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, header := range program.Progs {
			if header.Type == elf.PT_INTERP || header.Type == elf.PT_DYNAMIC {
				t.Errorf("%s is linked dynamically", name)
			}
		}
		_ = program.Close()
	}
}

func testLicenses(t *testing.T, r release) {
	dir := r.prefix
	harness.CheckLicenses(t, filepath.Join(dir, "bin"), filepath.Join(dir, "share/doc/microvm-console/licenses"))
}

// The documents at the top of the tarball are those that install.sh installs.
func testTopOfTheTarball(t *testing.T, r release) {
	dir := r.tarball
	for _, path := range []string{"README.md", "CHANGELOG.md", "LICENSE", "docs/security.md", "examples/own-kernel/vm.json", "examples/boot-sector/boot.s"} {
		if got, want := harness.ReadFile(t, filepath.Join(dir, path)), harness.ReadFile(t, filepath.Join(harness.Root, path)); got != want {
			t.Errorf("%s differs from that of the checkout", path)
		}
	}
}

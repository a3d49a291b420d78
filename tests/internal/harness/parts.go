package harness

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Parts are paths of what the demo's guest was made from.
type Parts struct {
	Kernel  string // a bzImage
	Modules string // a lib/modules with the modules of that kernel
	Busybox string // a static busybox
}

// PartsOfDemo returns the parts of the demo, which it builds.
func PartsOfDemo(t *testing.T) Parts {
	t.Helper()
	var vm struct{ Kernel string }
	text := ReadFile(t, filepath.Join(Build(t, "console-demo"), "share", "microvm", "vm.json"))
	if err := json.Unmarshal([]byte(text), &vm); err != nil {
		t.Fatal(err)
	}
	return Parts{
		Kernel:  vm.Kernel,
		Modules: packagePath(t, "linuxPackages.kernel", "package.modules") + "/lib/modules",
		Busybox: packagePath(t, "busybox", "package.override { enableStatic = true; }") + "/bin/busybox",
	}
}

// PartsWith9P returns the parts of the demo's guest with a kernel that has 9p. nixpkgs' kernel has
// it; Debian's cloud kernel, which replaces it on Debian, does not.
func PartsWith9P(t *testing.T) Parts {
	t.Helper()
	parts := PartsOfDemo(t)
	if os.Getenv("NIX_FLAGS") == "" {
		return parts
	}
	const kernel = "linuxPackages.standard"
	Must(t, Root, "nix", "build", "--no-link", "path:./tests/hostpkgs#"+kernel)
	parts.Kernel = packagePath(t, kernel, "package") + "/bzImage"
	parts.Modules = packagePath(t, kernel, "package.modules") + "/lib/modules"
	return parts
}

// UseVirtiofsd makes virtiofsd available to the commands of a test: that of the host, or else that
// of Debian 13, whose root takes minutes to make.
func UseVirtiofsd(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/usr/libexec/virtiofsd"); err == nil {
		return
	}
	if _, err := exec.LookPath("virtiofsd"); err == nil {
		return
	}
	root, bin := DebianRoot(t, "trixie", "virtiofsd"), t.TempDir()
	libraries := filepath.Join(root, "usr/lib/x86_64-linux-gnu")
	script := fmt.Sprintf("#!/bin/sh\nexec %[1]s/ld-linux-x86-64.so.2 --library-path %[1]s %[2]s/usr/libexec/virtiofsd \"$@\"\n", libraries, root)
	if err := os.WriteFile(filepath.Join(bin, "virtiofsd"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	Must(t, root, "chmod", "755", filepath.Dir(root)) // other users run it too
	Setenv(t, "PATH", bin+":"+Getenv(t, "PATH"))
}

// DebianRoot returns a folder with the root of a Debian suite and the given packages. It takes minutes
// to make.
func DebianRoot(t *testing.T, suite string, packages ...string) string {
	t.Helper()
	OnlyAll(t)
	if os.Getuid() != 0 {
		Skip(t, "root", "only root can make a Debian root; run scripts/test as root")
	}
	root := t.TempDir()
	command := append([]string{"-c", `scripts/debian-root "$@" 2>/dev/null`, "debian-root", suite}, packages...)
	Must(t, root, "tar", "-xf", strings.TrimSpace(Must(t, Root, "bash", command...)))
	return root
}

// packagePath returns the store path of a package of nixpkgs, or of what a Nix expression
// makes of it.
func packagePath(t *testing.T, attribute, expression string) string {
	t.Helper()
	packages := []string{"path:./tests/hostpkgs"}
	if os.Getenv("NIX_FLAGS") == "" {
		packages = []string{"--inputs-from", ".", "nixpkgs"}
	}
	packages[len(packages)-1] += "#" + attribute
	args := append([]string{"eval", "--raw", "--apply", "package: toString (" + expression + ")"}, packages...)
	output := Must(t, Root, "nix", args...)
	return output[strings.LastIndex(output, "\n")+1:] // without the warnings before it
}

package guest

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// kernelTree is a makefile that does what make does in a kernel tree in which all is built.
const kernelTree = `modules_install:
	mkdir -p $(INSTALL_MOD_PATH)/lib
	cp -rL MODULES $(INSTALL_MOD_PATH)/lib/
	chmod -R u+w $(INSTALL_MOD_PATH)
`

// kernelDeveloper makes the home of a user that has built the kernel of parts, whose drivers are
// modules.
func kernelDeveloper(t *testing.T, parts harness.Parts) (home string) {
	t.Helper()
	for _, name := range []string{"GOPATH", "GOCACHE"} {
		harness.Setenv(t, name, strings.TrimSpace(harness.Must(t, harness.Root, "go", "env", name)))
	}
	home = harness.UserFlake(t, "")
	harness.Setenv(t, "HOME", home)
	harness.Setenv(t, "PATH", home+"/.local/bin:"+harness.Getenv(t, "PATH")+":"+filepath.Dir(parts.Busybox))
	harness.Must(t, home, "install", "-D", parts.Kernel, "linux/arch/x86/boot/bzImage")
	harness.WriteFile(t, filepath.Join(home, "linux", "Makefile"), strings.ReplaceAll(kernelTree, "MODULES", parts.Modules))
	return home
}

// TestOwnKernel runs the commands of examples/own-kernel, with Nix and without: a kernel from a
// user's tree passes run-test.
func TestOwnKernel(t *testing.T) {
	t.Parallel()
	home := kernelDeveloper(t, harness.PartsOfDemo(t))
	t.Cleanup(func() { // if a command fails before microvm-shutdown
		_, _ = harness.Command(t, home, ".local/bin/microvm-shutdown", "--name", "own-kernel", "--force")
	})
	for _, block := range harness.BashBlocks(t, "examples/own-kernel/README.md") {
		t.Logf("%s", block)
		output := harness.Must(t, harness.Root, "bash", "-euo", "pipefail", "-c", block+"\nwait\n")
		if strings.Contains(block, "run-test") && !strings.Contains(output, " 0 failed") {
			t.Errorf("run-test has not passed:\n%s", output)
		}
	}
}

// change has JSON that is merged into guest.json and vm.json of the example.
type change struct{ guest, vm string }

// guestsThatLack has a change for each row of the example's table, by its first column: the
// guest then lacks what the row says. null removes a field. Equal changes run once.
var guestsThatLack = map[string]change{
	"a kernel in the file": {`{}`, `{"kernel": "guest.json"}`},
	"a serial console":     {`{}`, `{"kernelParams": ["8250.nr_uarts=0"]}`},
	"a virtio console":     {`{"modules": null, "modulesDir": null}`, `{}`},
	"an initrd":            {`{}`, `{"initrd": null}`},
	"a power button":       {`{"modules": null, "modulesDir": null}`, `{}`},
}

// TestKernelThatLacks checks that run-test prints what a kernel lacks.
func TestKernelThatLacks(t *testing.T) {
	t.Parallel()
	home := kernelDeveloper(t, harness.PartsOfDemo(t))
	bin := filepath.Join(harness.Build(t, "tools"), "bin")
	harness.Must(t, harness.Root, "cp", "-r", "examples/own-kernel", home)
	folder := filepath.Join(home, "own-kernel")
	harness.Must(t, folder, "ln", "-s", filepath.Join(bin, "microvm-agent"), ".")
	harness.Must(t, folder, "bash", "-euc", `ln -s ~/linux/arch/x86/boot/bzImage "$(command -v busybox)" . && make -C ~/linux modules_install INSTALL_MOD_PATH=$PWD/modules`)
	rows := harness.TableRows(t, "examples/own-kernel/README.md", "without")
	if len(rows) != len(guestsThatLack) {
		t.Errorf("the table has %d rows, the test %d", len(rows), len(guestsThatLack))
	}
	byGuest := map[change][]harness.Row{}
	for _, r := range rows {
		changes, known := guestsThatLack[r[0]]
		if !known {
			t.Fatalf("the test does not know how to make a guest without %s", r[0])
		}
		byGuest[changes] = append(byGuest[changes], r)
	}
	for changes, rows := range byGuest {
		t.Run(rows[0][0], func(t *testing.T) {
			t.Parallel()
			output := runTestRefuses(t, bin, folder, changes)
			for _, r := range rows {
				if want := r.Code(2)[0]; !strings.Contains(output, want) {
					t.Errorf("without %s: no %q in:\n%s", r[0], want, output)
				}
			}
		})
	}
}

// runTestRefuses changes the guest of the example, and returns the output of run-test, which
// must fail.
func runTestRefuses(t *testing.T, bin, folder string, changes change) string {
	t.Helper()
	own := t.TempDir()
	guest, vm, initrd := filepath.Join(own, "guest.json"), filepath.Join(own, "vm.json"), filepath.Join(own, "initrd")
	for _, name := range []string{"microvm-agent", "bzImage", "busybox", "modules"} { // the JSON files refer to them
		harness.Must(t, folder, "ln", "-s", filepath.Join(folder, name), own)
	}
	changedJSON(t, filepath.Join(folder, "guest.json"), guest, changes.guest)
	changedJSON(t, filepath.Join(folder, "vm.json"), vm, changes.vm)
	// TestOwnKernel, which may run at the same time, needs the ports of the example.
	changedJSON(t, vm, vm, fmt.Sprintf(`{"consoles": [
		{"name": "serial", "device": "ttyS0", "port": %d}, {"name": "console", "device": "hvc0", "port": %d}]}`, harness.FreePort(t), harness.FreePort(t)))
	harness.Must(t, own, filepath.Join(bin, "microvm-initrd"), "--output", initrd, guest)
	output, err := harness.Command(t, own, filepath.Join(bin, "run-test"), "--config", vm, "--timeout", "30s")
	if err == nil {
		t.Fatalf("run-test has passed:\n%s", output)
	}
	return output
}

// changedJSON writes a copy of a JSON file with changed fields.
func changedJSON(t *testing.T, from, to, changes string) {
	t.Helper()
	fields := map[string]any{}
	for _, part := range []string{harness.ReadFile(t, from), changes} {
		if err := json.Unmarshal([]byte(part), &fields); err != nil {
			t.Fatal(err)
		}
	}
	maps.DeleteFunc(fields, func(_ string, value any) bool { return value == nil })
	text, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	harness.WriteFile(t, to, string(text))
}

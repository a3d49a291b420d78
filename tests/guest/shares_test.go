package guest

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"microvm-console/tests/internal/harness"
)

// oddName is a name that has to be quoted in most places; quotedName is it for a shell.
const (
	oddName    = `a b,c:d"e'é=%`
	quotedName = `"a b,c:d\"e'é=%"`
)

// useShares is what the guest does with its shares. It prints "ok" at the end.
const useShares = `
cat /src/` + quotedName + `/file
! touch /src/written 2>/dev/null
dd if=/src/big bs=1M 2>/dev/null | md5sum
echo from the guest >/out/` + quotedName + `
mkdir /out/dir && mv /out/` + quotedName + ` /out/dir/file && ln -s file /out/dir/link
echo more >>/out/dir/link
sync
echo ok`

// TestSharesBy9P uses shares that QEMU serves itself.
func TestSharesBy9P(t *testing.T) {
	t.Parallel()
	parts := harness.PartsWith9P(t)
	t.Run("q35", func(t *testing.T) { t.Parallel(); checkShares(t, parts, "q35", "9p", "") })
	t.Run("microvm", func(t *testing.T) { t.Parallel(); checkShares(t, parts, "microvm", "9p", "") })
	t.Run("an ordinary user", func(t *testing.T) { t.Parallel(); checkShares(t, parts, "q35", "9p", "65534") })
}

// TestSharesByVirtiofs uses shares that virtiofsd serves, and kills the owner of the VM.
func TestSharesByVirtiofs(t *testing.T) {
	t.Parallel()
	harness.UseVirtiofsd(t)
	parts := harness.PartsOfDemo(t)
	t.Run("q35", func(t *testing.T) { t.Parallel(); checkShares(t, parts, "q35", "virtiofs", "") })
	t.Run("microvm", func(t *testing.T) { t.Parallel(); checkShares(t, parts, "microvm", "virtiofs", "") })
	t.Run("an ordinary user", func(t *testing.T) { t.Parallel(); checkShares(t, parts, "q35", "virtiofs", "65534") })
}

// checkShares runs a VM with a share to read and one to write on a machine type by a driver, as
// another user if uid is not empty. Then run-test runs, with a check that cannot write. A second
// VM reads what the first one has written. At the end, the owner of a VM is killed.
func checkShares(t *testing.T, parts harness.Parts, machine, driver, uid string) {
	t.Helper()
	if uid != "" && os.Getuid() != 0 {
		harness.Skip(t, "root", "only root can start a VM as another user; run scripts/test as root")
	}
	files := t.TempDir()
	harness.Must(t, files, "bash", "-euc", `mkdir -p "src/$1" out && echo content >"src/$1/file" && head -c 100M /dev/urandom >src/big`, "bash", oddName)
	out := filepath.Join(files, "out")
	folder := guestVM(t, parts, map[string]any{
		"machine": machine,
		"shares": []any{
			map[string]any{"source": filepath.Join(files, "src"), "target": "/src", "driver": driver},
			map[string]any{"source": out, "target": "/out", "readOnly": false, "driver": driver},
		},
		"checks": []any{map[string]any{"name": "a share is read-only", "run": "cat /out/dir/file && ! touch /out/by-test"}},
	}, "")
	owner := []string{}
	if uid != "" {
		owner = []string{"setpriv", "--reuid=" + uid, "--regid=" + uid, "--clear-groups"}
		harness.Setenv(t, "XDG_CACHE_HOME", filepath.Join(folder, "cache"))
		harness.Must(t, folder, "chmod", "755", filepath.Dir(files)) // the base of all t.TempDir
		harness.Must(t, folder, "chown", "-R", uid+":"+uid, folder, out, harness.Getenv(t, "MICROVM_CONFIG"))
	}
	command := func(words ...string) []string { return append(owner[:len(owner):len(owner)], words...) }
	run := command("microvm-run", "--accel", accelerator(), "--auto-ports")
	vm := harness.Start(t, run[0], run[1:]...)
	vm.Expect(`READY after`, 1)
	status := command("console-status", "--json")
	for late := time.Now().Add(harness.WaitLimit); !strings.Contains(harness.Must(t, folder, status[0], status[1:]...), `"agent":true`); {
		if time.Now().After(late) {
			t.Fatal("the agent does not answer")
		}
		time.Sleep(10 * time.Millisecond)
	}
	first := command("microvm-exec", "--", "sh", "-ec", useShares)
	got := harness.Must(t, folder, first[0], first[1:]...)
	sum := strings.TrimSuffix(harness.Must(t, files, "md5sum", "src/big"), "src/big\n")
	if want := "content\n" + sum + "-\nok\n"; got != want {
		t.Errorf("the guest printed %q, want %q", got, want)
	}
	owned := "0"
	if uid != "" {
		owned = uid
	} else if me := os.Getuid(); me != 0 {
		owned = strconv.Itoa(me)
	}
	written := harness.Must(t, out, "bash", "-euc", "find . -type f -printf '%p %U %m\n'; cat dir/file; readlink dir/link")
	if want := "./dir/file " + owned + " 644\nfrom the guest\nmore\nfile\n"; written != want {
		t.Errorf("on the host, the share has %q, want %q", written, want)
	}
	if machine == "q35" && uid == "" {
		second := command("run-test", "--accel", accelerator(), "--run", "share")
		if output := harness.Must(t, folder, second[0], second[1:]...); !strings.Contains(output, " 0 failed") {
			t.Errorf("run-test beside the VM has not passed:\n%s", output)
		}
	}
	killOwner(t, vm)
	if left := harness.Must(t, files, "find", ".", "-name", "by-test", "-o", "-name", "written"); left != "" {
		t.Errorf("the guest has written %s", left)
	}
}

// killOwner kills a microvm-run with SIGKILL. QEMU and the processes that serve shares must end.
func killOwner(t *testing.T, vm *harness.Session) {
	t.Helper()
	var children []int
	for _, word := range strings.Fields(harness.Must(t, harness.Root, "ps", "-o", "pid=", "--ppid", strconv.Itoa(vm.Cmd.Process.Pid))) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		children = append(children, pid)
	}
	if len(children) == 0 {
		t.Error("the VM has no process")
	}
	if err := vm.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-vm.Ended
	for _, pid := range children {
		for harness.Alive(pid) { // go test has a time limit
			time.Sleep(10 * time.Millisecond)
		}
	}
}

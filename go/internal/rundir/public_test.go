package rundir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestChannelPaths(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/7")
	if got := OfChannel("serial").Ctl(); got != "/run/user/7/qemu-relay/serial/ctl" {
		t.Error(got)
	}
	// Without the variable, the user's services are found too.
	t.Setenv("XDG_RUNTIME_DIR", "")
	want := fmt.Sprintf("/tmp/qemu-relay-%d/serial", os.Getuid())
	if own := fmt.Sprintf("/run/user/%d", os.Getuid()); checkOwn(own) == nil {
		want = own + "/qemu-relay/serial"
	}
	if got := OfChannel("serial").Path(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A path is used only if it belongs to this user and is of the right kind.
func TestUsable(t *testing.T) {
	dir := t.TempDir()
	fifo, link := filepath.Join(dir, "fifo"), filepath.Join(dir, "link")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(fifo, link); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		path   string
		kind   os.FileMode
		exists bool
		wrong  string
	}{
		{fifo, os.ModeNamedPipe, true, ""},
		{link, os.ModeSymlink, true, ""},
		{filepath.Join(dir, "none"), os.ModeSocket, false, ""},
		{link, os.ModeNamedPipe, true, link + ": is a symbolic link, not a FIFO (remove it, or choose another directory)"},
		{fifo, os.ModeSocket, true, fifo + ": is a FIFO, not a socket (remove it, or choose another directory)"},
	} {
		exists, err := Usable(test.path, test.kind)
		if exists != test.exists || fmt.Sprint(err) != test.wrong && (err != nil || test.wrong != "") {
			t.Errorf("%s as %v: %t, %v, want %t, %q", test.path, test.kind, exists, err, test.exists, test.wrong)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("only root can change the owner of a file (run the tests as root)")
	}
	if err := os.Lchown(fifo, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if _, err := Usable(fifo, os.ModeNamedPipe); err == nil || !strings.Contains(err.Error(), "belongs to user 65534") {
		t.Errorf("another user's file: %v", err)
	}
}

func TestLinkReplacesAnOldLink(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link")
	for _, target := range []string{"first", "second"} {
		if err := Link(target, link); err != nil {
			t.Fatal(err)
		}
		if got, err := os.Readlink(link); got != target || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, target)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(link)); err != nil || len(left) != 1 {
		t.Errorf("the folder has %v, %v", left, err)
	}
}

func TestVMLockIsExclusive(t *testing.T) {
	base(t)
	channel := OfChannel("serial")
	lock, err := channel.AcquireVM()
	if err != nil || !channel.HasVM() || channel.Running() {
		t.Fatalf("VM %t, running %t, %v", channel.HasVM(), channel.Running(), err)
	}
	want := fmt.Sprintf("channel %q: another QEMU is attached (pid %d; end it first)", "serial", os.Getpid())
	if _, err := channel.AcquireVM(); !errors.Is(err, ErrVMAttached) || err.Error() != want {
		t.Errorf("a second AcquireVM: %v, want %s", err, want)
	}
	lock.Close()
	if channel.HasVM() {
		t.Error("HasVM is true after Close")
	}
}

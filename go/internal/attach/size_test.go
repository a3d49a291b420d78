package attach

import (
	"slices"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"microvm-console/internal/ctl"
)

// The size of a keyboard's terminal is told when it is attached, when it changes,
// and to an owner that comes back; that of a pipe, or of who only watches, is not.
func TestSizeIsTold(t *testing.T) {
	guest, owner := machine(t, "text")
	s := newScreen(t, false)
	resize := func(columns, rows uint16) {
		if err := pty.Setsize(s.user, &pty.Winsize{Rows: rows, Cols: columns}); err != nil {
			t.Fatal(err)
		}
	}
	told := func(rows, columns int) {
		t.Helper()
		guest.await(t, "size", func() bool {
			return slices.ContainsFunc(guest.sizes, func(r ctl.SizeRequest) bool {
				return r.Rows == rows && r.Columns == columns && r.Console == "serial" && r.Client == guest.asked.Client
			})
		})
	}
	resize(80, 24)
	ended := s.start(Options{})
	told(24, 80)
	resize(100, 30)
	// The terminal is not the test's own: it is told by hand.
	if err := unix.Kill(unix.Getpid(), unix.SIGWINCH); err != nil {
		t.Fatal(err)
	}
	told(30, 100)
	guest.change(func() { guest.sizes = nil })
	owner.breakOff()
	told(30, 100)
	s.press("\x1d")
	if err := result(t, ended); err != nil {
		t.Error(err)
	}
	guest.change(func() { guest.sizes = nil })
	watching := newScreen(t, false)
	ended = watching.start(Options{ReadOnly: true})
	watching.await("text")
	watching.press("\x1d")
	if err := result(t, ended); err != nil {
		t.Error(err)
	}
	if len(guest.sizes) > 0 {
		t.Errorf("who only watches has told %+v", guest.sizes)
	}
}

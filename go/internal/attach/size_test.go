package attach

import (
	"slices"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"microvm-console/internal/ctl"
)

// A terminal sends its size when it is attached, when the size changes, and after a
// reconnect. A read-only one does not.
func TestSendSize(t *testing.T) {
	guest, owner := machine(t, "text")
	s := newScreen(t, false)
	resize := func(columns, rows uint16) {
		if err := pty.Setsize(s.user, &pty.Winsize{Rows: rows, Cols: columns}); err != nil {
			t.Fatal(err)
		}
	}
	awaitSize := func(rows, columns int) {
		t.Helper()
		guest.await(t, "size", func() bool {
			return slices.ContainsFunc(guest.sizes, func(r ctl.SizeRequest) bool {
				return r.Rows == rows && r.Columns == columns && r.Console == "serial" && r.Client == guest.asked.Client
			})
		})
	}
	resize(80, 24)
	ended := s.start(Options{})
	awaitSize(24, 80)
	resize(100, 30)
	// The kernel sends no SIGWINCH, as it is not the terminal of the test process.
	if err := unix.Kill(unix.Getpid(), unix.SIGWINCH); err != nil {
		t.Fatal(err)
	}
	awaitSize(30, 100)
	guest.change(func() { guest.sizes = nil })
	owner.breakOff()
	awaitSize(30, 100)
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
		t.Errorf("a read-only terminal has sent %+v", guest.sizes)
	}
}

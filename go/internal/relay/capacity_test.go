package relay

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Status shows what the FIFO from QEMU really holds: a user who has used up the memory
// for pipes gets a small one.
func TestCapacity(t *testing.T) {
	b := start(t)
	out, err := os.OpenFile(VMPath(b.dir)+".out", os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	for _, want := range []int{8192, 65536} {
		if _, err := unix.FcntlInt(out.Fd(), unix.F_SETPIPE_SZ, want); err != nil {
			t.Fatal(err)
		}
		if got := b.relay.Status().FIFOBytes; got != want {
			t.Errorf("it is said to hold %d bytes, want %d", got, want)
		}
	}
	b.finish()
}

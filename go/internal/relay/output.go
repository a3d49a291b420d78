package relay

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"microvm-console/internal/descriptor"
	"microvm-console/internal/journal"
	"microvm-console/internal/rundir"
	"microvm-console/internal/state"
)

// openPair makes the FIFOs vm.out and vm.in in dir and opens them.
func openPair(dir string) (out, in *os.File, err error) {
	if out, err = rundir.OpenFIFO(VMPath(dir) + ".out"); err != nil {
		return nil, nil, err
	}
	if in, err = rundir.OpenFIFO(VMPath(dir) + ".in"); err != nil {
		out.Close()
		return nil, nil, err
	}
	// QEMU's virtconsole drops what does not fit. Only this pipe gets as much: a user
	// has 64 MiB of pipes in all. Once these are used up the capacity stays as it is,
	// which status shows, and the relay has less time to come.
	_ = descriptor.Control(out, func(fd int) error {
		_, err := unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, state.WholeFIFO)
		return err
	})
	return out, in, nil
}

// output moves what the VM prints from vm.out into the journal.
type output struct {
	fifo    *os.File
	journal *journal.Journal
	overrun string // the cause of a gap if the pipe is full; "": the VM waits
	vm      *vm
}

// drain takes what comes until the FIFO is woken and empty. emptied is called whenever
// all has been taken. drain closes the FIFO.
func (o *output) drain(emptied func()) error {
	defer o.fifo.Close()
	raw, err := o.fifo.SyscallConn()
	if err != nil {
		return err
	}
	for {
		var taken error
		err := raw.Read(func(fd uintptr) bool {
			taken = o.takeOfBoot(int(fd))
			if errors.Is(taken, io.EOF) {
				emptied()
			}
			return !errors.Is(taken, io.EOF) // an empty pipe is waited for
		})
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return descriptor.Control(o.fifo, o.takeAll)
		}
		if err = errors.Join(err, taken); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(o.fifo.Name()), err)
		}
	}
}

// takeAll takes what is left in the pipe.
func (o *output) takeAll(fd int) error {
	for {
		if err := o.take(fd); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// takeOfBoot is take; it marks a boot that begins with the next byte.
func (o *output) takeOfBoot(fd int) error {
	if o.vm.boots.Load() == bootNext && descriptor.Unread(o.fifo) > 0 && o.vm.boots.CompareAndSwap(bootNext, bootKnown) {
		_, _ = o.journal.Boot() // what cannot be marked is kept all the same
	}
	err := o.take(fd)
	if errors.Is(err, io.EOF) {
		o.vm.emptied()
	}
	return err
}

// overrun is why bytes may be missing where the pipe was full. What did not fit was
// dropped, but less may have fitted into the pipe's last page behind that.
const overrun = "here, or less than 4096 bytes before, a virtio console found vm.out full"

// take moves a part of what is in the pipe. It returns io.EOF if that is empty.
func (o *output) take(fd int) error {
	_, err := o.journal.Take(fd, o.overrun)
	return err
}

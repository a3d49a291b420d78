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

// openPair creates and opens the FIFOs vm.out and vm.in in dir.
func openPair(dir string) (out, in *os.File, err error) {
	if out, err = rundir.OpenFIFO(VMPath(dir) + ".out"); err != nil {
		return nil, nil, err
	}
	if in, err = rundir.OpenFIFO(VMPath(dir) + ".in"); err != nil {
		out.Close()
		return nil, nil, err
	}
	// QEMU's virtconsole drops what does not fit into the pipe, so make this one large.
	// The other pipes keep their size because a user may have only 64 MiB of pipe buffers
	// in all. Once those are used up, this call fails and the capacity stays small: the
	// status shows that, and the relay must drain the pipe sooner.
	_ = descriptor.Control(out, func(fd int) error {
		_, err := unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, state.WholeFIFO)
		return err
	})
	return out, in, nil
}

// output moves the VM's output from vm.out into the journal.
type output struct {
	fifo    *os.File
	journal *journal.Journal
	overrun string // cause of a gap recorded when the pipe is full; "" if a VM that finds it full waits
	vm      *vm
}

// drain moves output into the journal until the FIFO is woken (descriptor.Wake) and
// empty. It calls emptied whenever the pipe is empty, and closes the FIFO.
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
			return !errors.Is(taken, io.EOF) // wait while the pipe is empty
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
func (o *output) takeAll(fd int) (err error) {
	for err == nil {
		err = o.take(fd)
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// takeOfBoot is take, but first marks a boot if one begins with the next byte.
func (o *output) takeOfBoot(fd int) error {
	if o.vm.boots.Load() == bootNext && descriptor.Unread(o.fifo) > 0 && o.vm.boots.CompareAndSwap(bootNext, bootKnown) {
		_, _ = o.journal.Boot() // output is kept even if the boot cannot be marked
	}
	err := o.take(fd)
	if errors.Is(err, io.EOF) {
		o.vm.emptied()
	}
	return err
}

// overrun is the cause of a gap recorded where the pipe was full. QEMU dropped what did
// not fit; later, shorter writes may still have fitted into the pipe's last page, hence
// the uncertainty about the place.
const overrun = "here, or less than 4096 bytes before, a virtio console found vm.out full"

// take moves some of the pipe's content into the journal. It returns io.EOF if the pipe
// is empty.
func (o *output) take(fd int) error {
	_, err := o.journal.Take(fd, o.overrun)
	return err
}

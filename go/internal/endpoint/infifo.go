package endpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"microvm-console/internal/descriptor"
	"microvm-console/internal/openers"
	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
)

// InFIFO is the FIFO NAME.in, to the guest.
type InFIFO struct {
	path string
	file *os.File // the read end
	keep *os.File // both ends, so that opening for writing never blocks and file never reaches EOF
}

// OpenInFIFO creates the FIFO, or opens an existing one that is owned by this user.
func OpenInFIFO(path string) (*InFIFO, error) {
	keep, err := rundir.OpenFIFO(path)
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		keep.Close()
		return nil, err
	}
	return &InFIFO{path, file, keep}, nil
}

// InPlace reports whether the FIFO is still at its path.
func (f *InFIFO) InPlace() bool { return descriptor.IsAt(f.file, f.path) }

// Held reports whether a QEMU process has this FIFO open directly.
func (f *InFIFO) Held() bool { return openers.Held(f.file) }

// Drop discards what was written while no VM was attached.
func (f *InFIFO) Drop() error { return descriptor.Drain(f.file) }

// Close closes the FIFO.
func (f *InFIFO) Close() {
	f.keep.Close()
	f.file.Close()
}

// Serve types what is written to the FIFO while a VM is attached. At other times it
// leaves the bytes in the FIFO, for a QEMU that opens this FIFO directly. After ctx is
// done, Serve continues until no process can write to the FIFO any more.
func (f *InFIFO) Serve(ctx context.Context, r *relay.Relay) error {
	defer f.Close()
	defer context.AfterFunc(ctx, func() { f.keep.Close() })()
	typist, err := r.Typist(relay.TypistInfo{Through: f.path})
	if err != nil {
		return err
	}
	defer context.AfterFunc(r.Closing(), typist.Close)()
	defer typist.Close()
	for vm := r.AwaitVM(r.Closing()); vm != nil; vm = r.AwaitVM(r.Closing()) {
		undo := descriptor.Until(vm, f.file)
		_, err := io.CopyBuffer(typist, struct{ io.Reader }{f.file}, make([]byte, 4096))
		undo()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded): // the VM has gone
		case err == nil, errors.Is(err, os.ErrClosed): // end of the FIFO, or of the VM
			return nil
		default:
			return fmt.Errorf("%s: %w", f.path, err)
		}
	}
	return nil
}

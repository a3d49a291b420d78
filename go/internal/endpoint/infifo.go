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

// InFIFO is a FIFO to the guest: NAME.in. It is kept open, so that a writer never waits
// for a reader.
type InFIFO struct {
	path string
	file *os.File
}

// OpenInFIFO makes the FIFO, or takes one of ours that is there.
func OpenInFIFO(path string) (*InFIFO, error) {
	file, err := rundir.OpenFIFO(path)
	if err != nil {
		return nil, err
	}
	return &InFIFO{path, file}, nil
}

// InPlace reports whether the FIFO is still at its path.
func (f *InFIFO) InPlace() bool { return descriptor.IsAt(f.file, f.path) }

// Held reports whether a QEMU has the FIFO open by itself.
func (f *InFIFO) Held() bool {
	holders, _ := openers.HoldersOf(f.file)
	return len(holders) > 0
}

// Drop drops what was written while no VM was attached.
func (f *InFIFO) Drop() error { return descriptor.Drain(f.file) }

// Close closes the FIFO.
func (f *InFIFO) Close() { f.file.Close() }

// Serve types what is written to the FIFO while a VM is attached. Else it is left there,
// for a QEMU that has this very FIFO open. After ctx has ended, Serve goes on until no
// process can write to the FIFO any more.
func (f *InFIFO) Serve(ctx context.Context, r *relay.Relay) error {
	defer f.Close()
	typist, err := r.Typist(relay.TypistInfo{Through: f.path})
	if err != nil {
		return err
	}
	defer context.AfterFunc(r.Closing(), typist.Close)()
	defer typist.Close()
	if err := f.pass(ctx, r, f.file, typist); err != nil || r.Closing().Err() != nil {
		return err
	}
	rest, err := f.rest()
	if err != nil {
		return err
	}
	defer rest.Close()
	f.Close() // it is a writer too
	return f.pass(r.Closing(), r, rest, typist)
}

// rest opens the FIFO again, so that its end is seen when the last writer has gone.
func (f *InFIFO) rest() (rest *os.File, err error) {
	err = descriptor.Control(f.file, func(fd int) error {
		rest, err = os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", fd), os.O_RDONLY|unix.O_NONBLOCK, 0)
		return err
	})
	return rest, err
}

// pass types what comes from file until its end, or ctx or the relay ends.
func (f *InFIFO) pass(ctx context.Context, r *relay.Relay, file *os.File, typist io.Writer) error {
	ctx, cancel := accepting(ctx, r)
	defer cancel()
	for ctx.Err() == nil {
		vm := r.AwaitVM(ctx)
		if vm == nil {
			return nil
		}
		attached, cancel := context.WithCancel(ctx)
		stop := context.AfterFunc(vm, cancel)
		undo := descriptor.Until(attached, file)
		err := typeAll(attached, file, typist)
		undo()
		stop()
		cancel()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, os.ErrClosed):
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", f.path, err)
		}
	}
	return nil
}

// typeAll types what comes from file until ctx ends. Its error is that of the file.
func typeAll(ctx context.Context, file *os.File, typist io.Writer) error {
	data := make([]byte, 4096)
	for ctx.Err() == nil {
		n, err := file.Read(data)
		if n > 0 {
			if _, err := typist.Write(data[:n]); err != nil {
				return nil //nolint:nilerr // the machine has ended
			}
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	return nil
}

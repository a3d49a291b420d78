package vm

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"microvm-console/internal/descriptor"
	"microvm-console/internal/guest"
	"microvm-console/internal/journal"
	"microvm-console/internal/relay"
)

// outputs reads the output of the consoles for the guest, whose state and tails follow from it, and
// for the observer.
type outputs struct {
	guest    *guest.Guest
	observer Observer          // see Options
	note     func(text string) // called with the notes of guest.Guest.Print
	of       []output          // by console; set when QEMU starts
	group    errgroup.Group    // reads them
}

// output is the output of a console.
type output struct {
	// read reads more output, and returns how much of it has been read in all. Its error is
	// io.EOF at the end of the output, and one of package journal (journal.Missing) where bytes
	// are missing.
	read    func(chunk []byte) (n int, end int64, err error)
	written func() int64 // returns how much QEMU has written so far
	close   func()
}

// openJournals opens the output of consoles that have a journal.
func (o *outputs) openJournals(consoles []openConsole) {
	for _, c := range consoles {
		o.of = append(o.of, journalOutput(c.Relay()))
	}
}

// openPipes opens the output of n consoles that QEMU copies to pipes. It returns the ends that
// QEMU inherits; the caller closes them.
func (o *outputs) openPipes(n int) (inherited []*os.File, err error) {
	for range n {
		read, write, err := os.Pipe()
		if err != nil {
			o.close()
			closeAll(inherited)
			return nil, err
		}
		o.of, inherited = append(o.of, pipeOutput(read)), append(inherited, write)
	}
	return inherited, nil
}

// close closes the outputs. It is called instead of start.
func (o *outputs) close() {
	for _, output := range o.of {
		output.close()
	}
	o.of = nil
}

// start starts reading the outputs until they end. It notifies activity when a console has printed.
func (o *outputs) start(activity chan<- struct{}) {
	for i, output := range o.of {
		o.group.Go(func() error {
			return output.run(
				func(data []byte, end int64) {
					o.printed(i, data, end)
					if len(data) > 0 {
						notify(activity)
					}
				},
				func(err error) { o.missing(i, err) },
			)
		})
	}
}

// printed processes output of console i; see guest.Guest.Print.
func (o *outputs) printed(i int, data []byte, end int64) {
	if o.observer.Printed != nil && len(data) > 0 {
		o.observer.Printed(i, data)
	}
	for _, text := range o.guest.Print(i, data, end, time.Now()) {
		o.note(text)
	}
}

// missing processes a gap in the output of console i.
func (o *outputs) missing(i int, err error) {
	if o.observer.Missing != nil {
		o.observer.Missing(i, err)
	}
}

// written returns how much QEMU has written to each console so far.
func (o *outputs) written() []int64 {
	written := make([]int64, len(o.of))
	for i, output := range o.of {
		written[i] = output.written()
	}
	return written
}

const (
	// readLimit bounds awaitRead on a host that is very busy.
	readLimit = 30 * time.Second
	// lossCheck is how often awaitRead checks whether the output that it waits for was lost.
	lossCheck = time.Second
)

// awaitRead waits until the guest's state reflects the consoles' output up to now, except for
// output that was lost to a full disk.
func (o *outputs) awaitRead() {
	ends := o.written()
	for late := time.Now().Add(readLimit); !o.guest.AwaitRead(ends, lossCheck) && time.Now().Before(late); {
		for i, end := range o.written() {
			ends[i] = min(ends[i], end)
		}
	}
}

// run reads the output until it ends, and closes it.
func (o output) run(printed func(data []byte, end int64), missing func(error)) error {
	defer o.close()
	chunk := make([]byte, 32<<10)
	for {
		n, end, err := o.read(chunk)
		if journal.Missing(err) {
			missing(err)
			err = nil
		}
		printed(chunk[:n], end)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// pipeOutput returns the output that QEMU copies to a pipe. The pipe is always drained, so that
// QEMU never blocks on it.
func pipeOutput(pipe *os.File) output {
	var mu sync.Mutex
	total := int64(0) // bytes read from the pipe
	read := func(chunk []byte) (n int, end int64, err error) {
		raw, err := pipe.SyscallConn()
		if err != nil {
			return 0, 0, err
		}
		ended := raw.Read(func(fd uintptr) bool {
			mu.Lock() // so that a byte is either in the pipe or in total
			defer mu.Unlock()
			n, err = unix.Read(int(fd), chunk)
			total += int64(max(0, n))
			end = total
			return !errors.Is(err, unix.EAGAIN)
		})
		switch {
		case errors.Is(err, unix.EINTR):
			return 0, end, nil
		case ended == nil && err == nil && n == 0:
			return 0, end, io.EOF
		}
		return max(0, n), end, errors.Join(ended, err)
	}
	written := func() int64 {
		mu.Lock()
		defer mu.Unlock()
		return total + int64(descriptor.Unread(pipe))
	}
	return output{read: read, written: written, close: func() { pipe.Close() }}
}

// journalOutput returns the output in the journal of a relay, from this boot's first byte.
func journalOutput(r *relay.Relay) output {
	start := r.BootStart()
	reader := r.Journal().NewReader(start)
	read := func(chunk []byte) (n int, end int64, err error) {
		n, err = reader.Read(context.Background(), chunk)
		if errors.Is(err, journal.ErrClosed) {
			err = io.EOF
		}
		return n, reader.Offset() - start, err
	}
	written := func() int64 { return r.Printed() - start }
	return output{read: read, written: written, close: func() { reader.Close() }}
}

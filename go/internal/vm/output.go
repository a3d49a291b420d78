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

// outputs are what the consoles print. They are read to know the guest's state, and for
// tails.
type outputs struct {
	guest *guest.Guest
	of    []output       // by console; set when QEMU starts
	group errgroup.Group // reads them
}

// output is what a console prints.
type output struct {
	// read reads on, and returns how much the console has printed up to there. Its error is
	// io.EOF once all was read of a console that prints no more.
	read    func(chunk []byte) (n int, end int64, err error)
	written func() int64 // how much QEMU has written by now
	close   func()
}

// openJournals opens the output of consoles that have a journal.
func (o *outputs) openJournals(consoles []openConsole) {
	for _, c := range consoles {
		o.of = append(o.of, journalOutput(c.Relay()))
	}
}

// openPipes opens the output of n consoles that QEMU copies to pipes, and returns the ends
// that it inherits.
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

// close closes outputs that are not read.
func (o *outputs) close() {
	for _, output := range o.of {
		output.close()
	}
	o.of = nil
}

// start has the outputs read until they end. printed is called with what each read brought
// from console i, and how much that has printed up to there.
func (o *outputs) start(printed func(i int, data []byte, end int64)) {
	for i, output := range o.of {
		o.group.Go(func() error {
			return output.run(func(data []byte, end int64) { printed(i, data, end) })
		})
	}
}

// written returns how much QEMU has written to each console by now.
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
	// lossCheck is how often awaitRead checks whether what it waits for was lost.
	lossCheck = time.Second
)

// awaitRead waits until the guest's state takes into account what the consoles have
// printed by now, without what a full disk has lost.
func (o *outputs) awaitRead() {
	ends := o.written()
	for late := time.Now().Add(readLimit); !o.guest.AwaitRead(ends, lossCheck) && time.Now().Before(late); {
		for i, end := range o.written() {
			ends[i] = min(ends[i], end)
		}
	}
}

// run reads an output until it ends, and closes it.
func (o output) run(printed func(data []byte, end int64)) error {
	defer o.close()
	chunk := make([]byte, 32<<10)
	for {
		n, end, err := o.read(chunk)
		printed(chunk[:n], end)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// pipeOutput reads the copy that QEMU writes to a pipe. It is always drained, so that QEMU
// never waits for it.
func pipeOutput(pipe *os.File) output {
	var mu sync.Mutex
	total := int64(0) // bytes that were in the pipe, and were read
	read := func(chunk []byte) (n int, end int64, err error) {
		raw, err := pipe.SyscallConn()
		if err != nil {
			return 0, 0, err
		}
		ended := raw.Read(func(fd uintptr) bool {
			mu.Lock() // a byte is in the pipe, or in total
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

// journalOutput reads the journal of a relay, from this boot's first byte.
func journalOutput(r *relay.Relay) output {
	start := r.BootStart()
	reader := r.Journal().NewReader(start)
	read := func(chunk []byte) (n int, end int64, err error) {
		n, err = reader.Read(context.Background(), chunk)
		switch {
		case errors.Is(err, journal.ErrClosed):
			err = io.EOF
		case journal.Missing(err):
			err = nil // what is kept of the end is enough
		}
		return n, reader.Offset() - start, err
	}
	written := func() int64 { return r.Printed() - start }
	return output{read: read, written: written, close: func() { reader.Close() }}
}

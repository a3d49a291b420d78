package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/journal"
	"microvm-console/internal/rundir"
)

// outFIFO is a channel's public FIFO from the guest: NAME.out.
//
// The relay keeps its write end open and never reads it. So a reader sees no end
// between two QEMUs, what a QEMU that somebody started by hand on this very pair
// writes outlives that QEMU, and the kernel tells when the last reader goes.
type outFIFO struct {
	name  string
	file  *os.File // the write end
	last  int64    // how far the last visitor came
	after int64    // what is before it was printed when no QEMU sat here by hand
	early bool     // the next visitor came before the last one had gone
	end   func() int64
}

// newOutFIFO makes the FIFO, or takes the one that is there. end is where the
// journal ends.
func newOutFIFO(path string, end func() int64) (*outFIFO, error) {
	f := &outFIFO{name: path, end: end}
	return f, errors.Join(f.renew(), f.open())
}

// renew removes a FIFO that somebody reads since an earlier relay was there: how
// far that one came is not known, so that his visit has to end. A QEMU that sits
// there by hand keeps it.
func (f *outFIFO) renew() error {
	holders, all := openersAt(f.name)
	if len(holders) > 0 || len(all) == 0 {
		return nil
	}
	if _, err := rundir.Usable(f.name, os.ModeNamedPipe); err != nil {
		return err
	}
	return os.Remove(f.name)
}

// open opens the write end; that succeeds only while somebody can read.
func (f *outFIFO) open() error {
	keeper, err := openFIFO(f.name)
	if err != nil {
		return err
	}
	defer keeper.Close()
	f.file, err = openWriter(f.name)
	return err
}

// errLost is returned for a FIFO whose name something has that is not ours.
var errLost = errors.New("its name is another's")

// openWriter opens the write end of a FIFO of ours. What a guest prints is for nobody
// who has put a FIFO of his own in its place.
func openWriter(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	var stat unix.Stat_t
	err = control(file, func(fd int) error { return unix.Fstat(fd, &stat) })
	if err == nil && int(stat.Uid) != os.Getuid() {
		err = errLost
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return file, nil
}

func (f *outFIFO) path() string { return f.name }

func (f *outFIFO) kind() string { return outKind }

// outKind is that of the FIFO from the guest.
const outKind = "fifo"

const (
	// showLimit is how long a process that opens the FIFO may take until it is
	// seen to have it open; one of another user's never is.
	showLimit = 100 * time.Millisecond
	showPause = 2 * time.Millisecond
)

// present tells whether there is a reader. A QEMU that sits here by hand is
// none, and while it does, the FIFO is its own.
func (f *outFIFO) present() bool {
	end := f.end() // before the look, which takes a while
	for begin := time.Now(); ; time.Sleep(showPause) {
		if polled(f.file)&unix.POLLERR != 0 {
			return false
		}
		holders, all := openersNow(f.file)
		if len(holders) > 0 {
			f.after, f.early = end, false
			return false
		}
		if len(all) > 0 || time.Since(begin) > showLimit {
			return true
		}
	}
}

// origin is the start of this boot. Behind what an earlier visitor, or a QEMU
// here by hand, has left unread, it is what follows that; also for a visitor who
// may have read it.
func (f *outFIFO) origin(j *journal.Journal) int64 {
	early := f.early
	f.early = false
	if early || unread(f.file) > 0 {
		return max(f.last, f.after)
	}
	return max(bootStart(j), f.after)
}

func (f *outFIFO) Write(data []byte) (int, error) { return f.file.Write(data) }

// typed has nothing to do: a reader types into the other FIFO.
func (f *outFIFO) typed(io.Writer) bool { return false }

func (f *outFIFO) conn() *os.File { return f.file }

// reset drops what the last reader has not read: the kernel does, once nobody
// has the FIFO open. It returns errLost if the FIFO's name is another's now.
func (f *outFIFO) reset(at int64) error {
	f.last = at
	if f.early = polled(f.file)&unix.POLLERR == 0; f.early {
		return nil // somebody has come already
	}
	if _, err := rundir.Usable(f.name, os.ModeNamedPipe); err != nil {
		return errLost
	}
	f.file.Close()
	file, err := openWriter(f.name)
	if f.early = err == nil; f.early {
		f.file = file
		return nil // just now
	}
	return f.open()
}

// inFIFO is a channel's public FIFO to the guest: NAME.in.
type inFIFO struct {
	file  *os.File
	after *inFIFO       // hands on first; nil: none does
	ended chan struct{} // closed when hand returns
}

// newInFIFO makes the FIFO, or takes the one that is there, and keeps it open: a
// writer never waits for a reader.
func newInFIFO(path string) (*inFIFO, error) {
	file, err := openFIFO(path)
	if err != nil {
		return nil, err
	}
	return &inFIFO{file: file, ended: make(chan struct{})}, nil
}

// hand hands on what is written to the FIFO while a machine is attached. It is
// left there else, for a QEMU that sits on this very pair. hand returns when the
// relay ends, or nobody can write to the FIFO any more.
func (f *inFIFO) hand(r *Relay) error {
	defer r.leaveIn(f)
	defer close(f.ended)
	if f.after != nil {
		<-f.after.ended
	}
	for {
		machine := r.awaitMachine()
		if machine == nil {
			return nil
		}
		again := until(machine, f.file)
		err := f.pass(machine, r)
		again()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, os.ErrClosed):
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", f.file.Name(), err)
		}
	}
}

// pass reads until ctx ends. Its error is the FIFO's.
func (f *inFIFO) pass(ctx context.Context, r *Relay) error {
	data := make([]byte, inputWhole)
	for ctx.Err() == nil {
		n, err := f.file.Read(data)
		if n > 0 {
			if _, err := (guest{r, ended(r.serving)}).Write(data[:n]); err != nil {
				return nil //nolint:nilerr // the machine has ended
			}
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	return nil
}

// empty drops what was written while no machine was there.
func empty(fifo *os.File) error {
	return control(fifo, func(fd int) error {
		chunk := make([]byte, 64<<10)
		for {
			n, err := unix.Read(fd, chunk)
			if errors.Is(err, unix.EAGAIN) || n == 0 {
				return nil
			}
			if err != nil && !errors.Is(err, unix.EINTR) {
				return os.NewSyscallError("read", err)
			}
		}
	})
}

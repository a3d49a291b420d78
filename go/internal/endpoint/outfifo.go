package endpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/descriptor"
	"microvm-console/internal/openers"
	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
)

// OutFIFO is a FIFO from the guest: NAME.out.
//
// Its write end is kept open and never read. So a reader sees no end between two QEMUs,
// what a QEMU that was started by hand on this very FIFO writes outlives that QEMU, and
// the kernel reports when the last reader has gone.
type OutFIFO struct {
	path  string
	last  int64 // how far the last client came
	after int64 // bytes before it were printed before a QEMU had this FIFO open by itself
	early bool  // the next client came before the last one had gone

	mu   sync.Mutex // held while Serve makes the FIFO again
	file *os.File   // the write end
}

// OpenOutFIFO makes the FIFO, or takes one of ours that is there.
func OpenOutFIFO(path string) (*OutFIFO, error) {
	f := &OutFIFO{path: path}
	if err := f.removeRead(); err != nil {
		return nil, err
	}
	return f, f.open()
}

// removeRead removes a FIFO that a process reads since an earlier relay was there: how
// far that one came is not known, so that it has to end. A FIFO that a QEMU has open by
// itself stays.
func (f *OutFIFO) removeRead() error {
	holders, all := openers.HoldersAt(f.path)
	if len(holders) > 0 || len(all) == 0 {
		return nil
	}
	if _, err := rundir.Usable(f.path, os.ModeNamedPipe); err != nil {
		return err
	}
	return os.Remove(f.path)
}

// open opens the write end; that succeeds only while a process can read.
func (f *OutFIFO) open() error {
	reader, err := rundir.OpenFIFO(f.path)
	if err != nil {
		return err
	}
	defer reader.Close()
	f.file, err = openWriter(f.path)
	return err
}

// openWriter opens the write end of a FIFO of ours. A FIFO of another user in its place
// must not get what a guest prints.
func openWriter(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && int(info.Sys().(*syscall.Stat_t).Uid) != os.Getuid() {
		err = errors.New("belongs to another user")
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return file, nil
}

// InPlace reports whether the FIFO is still at its path. If the ctx of Serve has ended
// before the call, the path is left alone from its return on.
func (f *OutFIFO) InPlace() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return descriptor.IsAt(f.file, f.path)
}

// Held reports whether a QEMU has the FIFO open by itself.
func (f *OutFIFO) Held() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	holders, _ := openers.HoldersOf(f.file)
	return len(holders) > 0
}

// Close closes the FIFO.
func (f *OutFIFO) Close() { f.file.Close() }

// Serve serves the readers of the FIFO.
func (f *OutFIFO) Serve(ctx context.Context, r *relay.Relay) error {
	defer f.Close()
	return serveFile(ctx, r, f)
}

func (f *OutFIFO) info() relay.ClientInfo {
	return relay.ClientInfo{Name: f.path, Kind: "fifo", Reserved: true}
}

// watch watches the FIFO itself: its name may have been removed.
func (f *OutFIFO) watch(events *openers.Watch) error {
	return descriptor.Control(f.file, func(fd int) error {
		return events.Add(fmt.Sprintf("/proc/self/fd/%d", fd), opening)
	})
}

const (
	// showLimit is how long a process that opens the FIFO may take until it is
	// seen to have it open; one of another user's never is.
	showLimit = 100 * time.Millisecond
	showPause = 2 * time.Millisecond
)

// present reports whether there is a reader. A QEMU that has the FIFO open by itself is
// none, and while it has, the FIFO is its own.
func (f *OutFIFO) present(r *relay.Relay) bool {
	_, end := r.Journal().Range() // before the look, which takes a while
	for begin := time.Now(); ; time.Sleep(showPause) {
		if descriptor.Poll(f.file)&unix.POLLERR != 0 {
			return false
		}
		holders, all := openers.HoldersOf(f.file)
		if len(holders) > 0 {
			f.after, f.early = end, false
			return false
		}
		if len(all) > 0 || time.Since(begin) > showLimit {
			return true
		}
	}
}

// origin returns the start of this boot. Behind what an earlier client, or a QEMU that had
// the FIFO open by itself, has left unread, it is what follows that; also for a client
// that may have read it.
func (f *OutFIFO) origin(r *relay.Relay) int64 {
	early := f.early
	f.early = false
	if early || descriptor.Unread(f.file) > 0 {
		return max(f.last, f.after)
	}
	return max(r.BootStart(), f.after)
}

func (f *OutFIFO) Write(data []byte) (int, error) { return f.file.Write(data) }

func (f *OutFIFO) conn() *os.File { return f.file }

// reset drops what the last reader has not read: the kernel does, once no process
// has the FIFO open.
func (f *OutFIFO) reset(ctx context.Context, at int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = at
	if ctx.Err() != nil {
		return nil
	}
	if f.early = descriptor.Poll(f.file)&unix.POLLERR == 0; f.early {
		return nil // the next one has come already
	}
	if _, err := rundir.Usable(f.path, os.ModeNamedPipe); err != nil {
		return nil //nolint:nilerr // the name is another file's: no reader comes here any more
	}
	f.file.Close()
	file, err := openWriter(f.path)
	if f.early = err == nil; f.early {
		f.file = file
		return nil // just now
	}
	return f.open()
}

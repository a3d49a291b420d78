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

// OutFIFO is the FIFO NAME.out, from the guest.
//
// Its write end is kept open and never read. So a reader sees no EOF between two runs of
// QEMU, the output of a QEMU that was started by hand on this very FIFO survives that
// QEMU, and the kernel reports when the last reader has closed it.
type OutFIFO struct {
	path  string
	last  int64 // offset that the last client has reached
	after int64 // end of the stream when a QEMU last had this FIFO open directly
	early bool  // the next client opened the FIFO before the last one had closed it

	mu   sync.Mutex // held while Serve recreates the FIFO
	file *os.File   // the write end
}

// OpenOutFIFO creates the FIFO, or opens an existing one that is owned by this user.
func OpenOutFIFO(path string) (*OutFIFO, error) {
	f := &OutFIFO{path: path}
	if err := f.removeRead(); err != nil {
		return nil, err
	}
	return f, f.open()
}

// removeRead removes a FIFO that a process has been reading since an earlier relay served
// it. The offset that this reader has reached is unknown, so its stream has to end. A
// FIFO that a QEMU has open directly stays.
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

// open opens the write end. That requires a reader, so it opens the FIFO for reading
// first.
func (f *OutFIFO) open() error {
	reader, err := rundir.OpenFIFO(f.path)
	if err != nil {
		return err
	}
	defer reader.Close()
	f.file, err = openWriter(f.path)
	return err
}

// openWriter opens the write end of a FIFO owned by this user. Another user's FIFO in its
// place must not receive the guest's output.
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

// InPlace reports whether the FIFO is still at its path. If the ctx of Serve was done
// before the call, Serve does not touch the path after the call.
func (f *OutFIFO) InPlace() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return descriptor.IsAt(f.file, f.path)
}

// Held reports whether a QEMU process has this FIFO open directly.
func (f *OutFIFO) Held() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return openers.Held(f.file)
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

// watch watches the open file, because its name may have been removed.
func (f *OutFIFO) watch(events *openers.Watch) error {
	return descriptor.Control(f.file, func(fd int) error {
		return events.Add(fmt.Sprintf("/proc/self/fd/%d", fd), opening)
	})
}

const (
	// showLimit is how long it takes at most until /proc shows a process that opens the
	// FIFO. /proc does not show the descriptors of other users.
	showLimit = 100 * time.Millisecond
	showPause = 2 * time.Millisecond
)

// present reports whether there is a reader. A QEMU that has the FIFO open directly is
// not a reader; as long as it does, the relay does not use the FIFO.
func (f *OutFIFO) present(r *relay.Relay) bool {
	_, end := r.Journal().Range() // before the search of /proc, which takes a while
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

// origin returns the start of the current boot. If the FIFO holds bytes that an earlier
// client or a QEMU with the FIFO open directly has left unread, or if the new client may
// have read such bytes, it returns the offset that follows them.
func (f *OutFIFO) origin(r *relay.Relay) int64 {
	early := f.early
	f.early = false
	if early || descriptor.Unread(f.file) > 0 {
		return max(f.last, f.after)
	}
	return max(r.BootStart(), f.after)
}

// Write writes to the reader. It blocks while the FIFO is full.
func (f *OutFIFO) Write(data []byte) (int, error) { return f.file.Write(data) }

func (f *OutFIFO) conn() *os.File { return f.file }

// reset discards what the last reader has not read: closing the last descriptor makes the
// kernel do so.
func (f *OutFIFO) reset(ctx context.Context, at int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = at
	if ctx.Err() != nil {
		return nil
	}
	if f.early = descriptor.Poll(f.file)&unix.POLLERR == 0; f.early {
		return nil // the next client is already here
	}
	if _, err := rundir.Usable(f.path, os.ModeNamedPipe); err != nil {
		return nil //nolint:nilerr // the name is another file's, so no reader can come
	}
	f.file.Close()
	file, err := openWriter(f.path)
	if f.early = err == nil; f.early {
		f.file = file
		return nil // the next client has just opened it
	}
	return f.open()
}

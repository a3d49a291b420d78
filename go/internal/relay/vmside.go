package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/journal"
	"microvm-console/internal/rundir"
	"microvm-console/internal/state"
)

// openPair makes the FIFOs vm.out and vm.in in dir and opens both for reading
// and writing: so they keep their content while QEMU is not there, and an
// opening never waits.
func openPair(dir string) (out, in *os.File, err error) {
	if out, err = openFIFO(VMPath(dir) + ".out"); err != nil {
		return nil, nil, err
	}
	if in, err = openFIFO(VMPath(dir) + ".in"); err != nil {
		out.Close()
		return nil, nil, err
	}
	// QEMU's virtconsole drops what does not fit. Only this pipe gets as much: a user
	// has 64 MiB of pipes in all. Once these are used up the capacity stays as it is,
	// which status shows, and the relay has less time to come.
	_ = control(out, func(fd int) error {
		_, err := unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, state.WholeFIFO)
		return err
	})
	return out, in, nil
}

// openFIFO makes a FIFO, or takes one of ours that is there: QEMU may have it
// open.
func openFIFO(path string) (*os.File, error) {
	exists, err := rundir.Usable(path, os.ModeNamedPipe)
	if err != nil {
		return nil, err
	}
	if !exists {
		if err := unix.Mkfifo(path, 0o600); err != nil {
			return nil, &os.PathError{Op: "mkfifo", Path: path, Err: err}
		}
	}
	return os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
}

// drain moves what the machine prints into the journal until the relay
// finishes and the pipe is empty.
func (r *Relay) drain() error {
	defer r.out.Close()
	_, r.answered = r.config.Journal.Range()
	raw, err := r.out.SyscallConn()
	if err != nil {
		return err
	}
	for {
		var taken error
		err := raw.Read(func(fd uintptr) bool {
			taken = r.takeBoot(int(fd))
			return !errors.Is(taken, io.EOF) // an empty pipe is waited for
		})
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return control(r.out, r.takeAll)
		}
		if err = errors.Join(err, taken); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(r.out.Name()), err)
		}
	}
}

// takeAll takes what is left in the pipe.
func (r *Relay) takeAll(fd int) error {
	for {
		if err := r.take(fd); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// takeBoot is take; it marks a boot where one begins by itself.
func (r *Relay) takeBoot(fd int) error {
	if r.own.Load() == ownNext && unread(r.out) > 0 && r.own.CompareAndSwap(ownNext, ownNone) {
		_, _ = r.config.Journal.Boot() // what cannot be marked is kept all the same
	}
	err := r.take(fd)
	if errors.Is(err, io.EOF) {
		r.nextBegins()
		r.answerProbes()
	}
	return err
}

// overrun is why bytes may be missing where the pipe was full. What did not fit was
// dropped, but less may have fitted into the pipe's last page behind that.
const overrun = "here, or less than 4096 bytes before, a virtio console found vm.out full"

// heldUp is how long a look may take that is worth something: a process that was held
// up in between does not know how full the pipe is now.
const heldUp = time.Millisecond

// lookFull takes note where the pipe is full: what was dropped meanwhile belongs
// behind what is in it, or into its last page. The bytes must be taken at once.
func (r *Relay) lookFull(fd int) {
	for begin := time.Now(); ; begin = time.Now() {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		_, err := unix.Poll(poll, 0)
		if err == nil && poll[0].Revents&unix.POLLOUT == 0 {
			r.config.Journal.Doubt(int64(unread(r.out)), overrun)
			return
		}
		if time.Since(begin) < heldUp {
			return
		}
	}
}

// take moves a part of what is in the pipe; io.EOF where it is empty. What the
// journal cannot take is dropped and counted: the guest must not wait.
func (r *Relay) take(fd int) error {
	var look func()
	if r.config.Drops {
		look = func() { r.lookFull(fd) }
	}
	if !r.weak.Load() {
		_, err := r.config.Journal.Splice(fd, look)
		if err == nil || errors.Is(err, io.EOF) || errors.Is(err, journal.ErrClosed) {
			return err
		}
		if journal.ErrNoSplice(err) {
			r.weak.Store(true)
		}
	}
	data := make([]byte, 64<<10)
	if look != nil {
		look()
	}
	n, err := unix.Read(fd, data)
	switch {
	case errors.Is(err, unix.EAGAIN), err == nil && n == 0:
		return io.EOF
	case errors.Is(err, unix.EINTR):
		return nil
	case err != nil:
		return os.NewSyscallError("read", err)
	}
	written, err := r.config.Journal.Write(data[:n])
	if err != nil && !errors.Is(err, journal.ErrClosed) {
		r.config.Journal.Lose(int64(n-written), err)
		return nil
	}
	return err
}

// Held tells whether a QEMU has the VM side open.
func (r *Relay) Held() bool { return held(r.out) }

// Unread is how many bytes the machine has printed that are not in the journal
// yet.
func (r *Relay) Unread() int {
	defer r.config.Journal.Settle() // what is on its way is in neither
	return unread(r.out)
}

// Printed is the offset behind the newest byte that the machine has printed,
// whether it is in the journal or still on its way there.
func (r *Relay) Printed() int64 {
	for {
		_, before := r.config.Journal.Range()
		unread := r.Unread()
		// What left the pipe meanwhile would count twice, or not at all.
		if _, end := r.config.Journal.Range(); end == before {
			return end + int64(unread)
		}
	}
}

// unread is how many bytes are in a pipe; in one that is closed, none.
func unread(pipe *os.File) int {
	bytes := 0
	_ = control(pipe, func(fd int) (err error) {
		bytes, err = unix.IoctlGetInt(fd, unix.TIOCINQ)
		return err
	})
	return bytes
}

// capacity returns how many bytes a pipe holds; 0 for one that is closed.
func capacity(pipe *os.File) int {
	bytes := 0
	_ = control(pipe, func(fd int) (err error) {
		bytes, err = unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0)
		return err
	})
	return bytes
}

// control calls f with a file's descriptor.
func control(file *os.File, f func(fd int) error) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = f(int(fd)) }); err != nil {
		return err
	}
	return failed
}

// wake ends what waits for file.
func wake(file *os.File) {
	_ = file.SetDeadline(time.Unix(1, 0)) // a file that is closed wakes anyway
}

// until has what waits for file wait no longer than ctx. The function that it
// returns ends that: from then on file waits again.
func until(ctx context.Context, file *os.File) (again func()) {
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(woken)
		wake(file)
	})
	return func() {
		if !stop() {
			<-woken
		}
		_ = file.SetDeadline(time.Time{}) // one that is closed has none
	}
}

package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// ErrInUse is returned by Open if another process has the journal open for writing.
var ErrInUse = errors.New("another process is writing to it")

// recordBytes is the size of the record in the lock file, as text, padded with blanks up to the
// line feed. It replaces itself, so it needs no space on a full disk.
const recordBytes = 128

// record is the record in the lock file: the writer's pid, the offset just after the newest
// byte, the number of the newest boot, and a gap that the file of the gaps may lack: its offset, and
// the number of its bytes, -1 if that is unknown, or 0 if there is no such gap. The end may be slightly old; the files are authoritative. But if a file was cut or
// removed while the journal was not open, the files end before the recorded end.
type record struct {
	pid        int
	end        int64
	boot       int
	gapAt, gap int64
}

// lockName is the name of the lock file, which also holds the record.
const lockName = "lock"

// lockTries is how often takeLock tries again, at intervals of a millisecond, while
// readers share the lock to check for a writer.
const lockTries = 1000

// takeLock takes the lock of the journal in dir.
func takeLock(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, modeIn(dir))
	if err != nil {
		return nil, err
	}
	err = flock(lock, unix.LOCK_EX)
	// isWritten shares the lock for an instant.
	for range lockTries {
		if !errors.Is(err, unix.EWOULDBLOCK) || errors.Is(flock(lock, unix.LOCK_SH), unix.EWOULDBLOCK) {
			break
		}
		time.Sleep(time.Millisecond)
		err = flock(lock, unix.LOCK_EX)
	}
	switch {
	case err == nil:
		return lock, nil
	case errors.Is(err, unix.EWOULDBLOCK):
		err = fmt.Errorf("%w%s", ErrInUse, owner(lock))
	default:
		err = fmt.Errorf("lock: %w", err)
	}
	return nil, errors.Join(err, lock.Close())
}

// flock is flock(2) without blocking.
func flock(file *os.File, how int) error {
	for {
		err := unix.Flock(int(file.Fd()), how|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// isWritten reports whether a process has the journal in dir open for writing. It shares
// the lock for an instant, which takeLock takes into account.
func isWritten(dir string) bool {
	lock, err := openLock(dir)
	if err != nil {
		return false
	}
	defer lock.Close()
	return errors.Is(flock(lock, unix.LOCK_SH), unix.EWOULDBLOCK)
}

// openLock opens the lock file for reading.
func openLock(dir string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, lockName), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
}

// owner returns the process named by the record of the lock file, for an error message.
func owner(lock *os.File) string {
	if r := readRecord(lock); r.pid > 0 {
		return fmt.Sprintf(" (pid %d; stop it first)", r.pid)
	}
	return ""
}

// writeRecord writes a record of this process. Errors are ignored, because the record is optional.
func writeRecord(lock *os.File, r record) {
	text := fmt.Sprintf("%d %d %d %d %d", os.Getpid(), r.end, r.boot, r.gapAt, r.gap)
	_, _ = lock.WriteAt(fmt.Appendf(nil, "%-*s\n", recordBytes-1, text), 0)
}

// readRecord returns the record of the last writer, or a zero one.
func readRecord(lock *os.File) (r record) {
	var text [recordBytes]byte
	_, _ = lock.ReadAt(text[:], 0)                                                                   // a short read is not a valid record
	n, _ := fmt.Sscanf(string(text[:]), "%d %d %d %d %d", &r.pid, &r.end, &r.boot, &r.gapAt, &r.gap) // older ones have three numbers
	if n < 3 || min(r.end, r.gapAt, r.gap+1) < 0 || max(r.end, r.gapAt, r.gap) > maxOffset || r.boot < 0 || r.boot > maxBoot {
		return record{}
	}
	return r
}

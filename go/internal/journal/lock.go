package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// ErrInUse is returned by Open if another process has the journal open for writing.
var ErrInUse = errors.New("another process is writing to it")

// recordBytes is the size of the record in the lock file: the writer's pid, the offset
// just after the newest byte, and the number of the newest boot, as text, padded with
// blanks up to the line feed. The offset may be slightly old; the files are
// authoritative. But if a file was cut or removed while the journal was not open, the
// files end before the recorded offset.
const recordBytes = 64

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
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer lock.Close()
	return errors.Is(flock(lock, unix.LOCK_SH), unix.EWOULDBLOCK)
}

// owner returns the process named by the record of the lock file, for an error message.
func owner(lock *os.File) string {
	if pid, _, _ := parseRecord(lock); pid > 0 {
		return fmt.Sprintf(" (pid %d; stop it first)", pid)
	}
	return ""
}

// writeRecord writes the record. Errors are ignored, because the record is optional.
func writeRecord(lock *os.File, end int64, boot int) {
	var text [recordBytes]byte
	record := strconv.AppendInt(text[:0], int64(os.Getpid()), 10)
	record = strconv.AppendInt(append(record, ' '), end, 10)
	record = strconv.AppendInt(append(record, ' '), int64(boot), 10)
	for len(record) < recordBytes-1 {
		record = append(record, ' ')
	}
	_, _ = lock.WriteAt(append(record, '\n'), 0)
}

// readRecord returns the end of the stream and the newest boot according to the last
// writer, or 0 and 0 without a valid record.
func readRecord(lock *os.File) (end int64, boot int) {
	_, end, boot = parseRecord(lock)
	return end, boot
}

func parseRecord(lock *os.File) (pid int, end int64, boot int) {
	var text [recordBytes]byte
	_, _ = lock.ReadAt(text[:], 0) // a short read is not a valid record
	_, err := fmt.Sscanf(string(text[:]), "%d %d %d", &pid, &end, &boot)
	if err != nil || end < 0 || end > maxOffset || boot < 0 || boot > maxBoot {
		return 0, 0, 0
	}
	return pid, end, boot
}

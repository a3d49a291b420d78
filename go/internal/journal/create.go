package journal

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// create makes the file of a segment. If there is something of that name, it is set
// aside.
func (j *Journal) create(path string) (*os.File, error) {
	for {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
		switch {
		case err == nil:
			return file, nil
		case errors.Is(err, os.ErrNotExist): // the folder was removed
			err = j.remake()
		case errors.Is(err, os.ErrExist):
			err = setAside(path)
		default:
			err = j.spared(err)
		}
		if err != nil {
			return nil, err
		}
	}
}

// remake makes the folder again, and the lock that was in it.
func (j *Journal) remake() error {
	if err := os.MkdirAll(j.dir, 0o700); err != nil {
		return err
	}
	lock, err := takeLock(j.dir)
	if err != nil {
		return err
	}
	_ = j.lock.Close() // of a file without a name
	j.lock, j.unsaved = lock, true
	return nil
}

package journal

import (
	"fmt"
	"os"

	"microvm-console/internal/openers"
)

// inUse returns ErrInUse with the process that holds the journal's lock; ErrInUse
// alone if that process cannot be found.
func inUse(lock *os.File) error {
	info, err := lock.Stat()
	if err != nil {
		return ErrInUse
	}
	pids, _ := openers.LockHolders(info)
	if len(pids) == 0 {
		return ErrInUse
	}
	return fmt.Errorf("%w (pid %d; end it first)", ErrInUse, pids[0])
}

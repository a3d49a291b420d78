package rundir

import (
	"errors"
	"os"
)

// Running returns the machines of this user that a process owns, by name.
func Running() ([]Machine, error) {
	entries, err := os.ReadDir(Base())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var running []Machine
	for _, entry := range entries {
		if machine := Of(entry.Name()); machine.Locked() {
			running = append(running, machine)
		}
	}
	return running, err
}

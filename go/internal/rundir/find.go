package rundir

import (
	"os"
)

// Running returns the machines of this user that a process owns, by name.
func Running() ([]Machine, error) {
	if err := checkRuntimeDir(); err != nil {
		return nil, err
	}
	if err := ours(Base()); err != nil {
		return nil, unlessGone(err)
	}
	entries, err := os.ReadDir(Base())
	var running []Machine
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		machine := Of(entry.Name())
		locked, err := machine.Locked()
		if err != nil {
			return nil, err
		}
		if locked {
			running = append(running, machine)
		}
	}
	return running, err
}

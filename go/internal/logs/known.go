package logs

import (
	"strings"

	"microvm-console/internal/rundir"
	"microvm-console/internal/settings"
	"microvm-console/internal/suggest"
)

// similarMachine returns the name of a VM that runs or has a log and is similar to name; ""
// if there is none. A name that only adds a part to name, as run-test does, is not similar.
func similarMachine(name string) string {
	known, _, err := All()
	if err != nil {
		known = nil
	}
	running, err := rundir.Running()
	if err != nil {
		running = nil
	}
	for _, machine := range running {
		known = append(known, machine.Name())
	}
	var candidates []string
	for _, other := range known {
		if other != name && !strings.HasPrefix(other, name+"-") {
			candidates = append(candidates, other)
		}
	}
	return suggest.Nearest(name, candidates)
}

// CheckChannel returns an error unless name is a valid name of a channel that is known: it is
// in the settings, its relay runs, or it has a log. With settings that cannot be read, every
// channel is known.
func CheckChannel(name string) error {
	if err := settings.CheckName(name); err != nil {
		return err
	}
	all, _, err := settings.Find("")
	if err != nil {
		return nil //nolint:nilerr // programs that need the settings report it
	}
	if _, err = all.Channel(name); err == nil || rundir.OfChannel(name).Running() {
		return nil
	}
	if _, missing := OfChannel(name); missing == nil {
		return nil
	}
	return err
}

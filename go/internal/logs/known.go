package logs

import (
	"microvm-console/internal/rundir"
	"microvm-console/internal/settings"
)

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

package settings

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"

	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/strictjson"
)

// Beyond these limits a relay would fail later, with a less clear error.
const (
	minRetentionMiB = 16 // one segment of the journal
	maxRetentionMiB = 1 << 24
	maxPort         = 65535
)

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// CheckName returns an error unless name is a valid name of a channel.
func CheckName(name string) error {
	if !namePattern.MatchString(name) {
		return fmt.Errorf("invalid channel name %q: want lower-case letters, digits and dashes, a letter first, at most 32", name)
	}
	return nil
}

// validate returns all mistakes, as a *multierror.Error.
func (s Settings) validate() error {
	var errs *multierror.Error
	wrong := func(field, format string, args ...any) {
		errs = multierror.Append(errs, strictjson.Mistakef(field, format, args...))
	}
	switch {
	case !filepath.IsAbs(s.Directory):
		wrong("directory", "%q is not an absolute path", s.Directory)
	case strings.ContainsFunc(s.Directory, unicode.IsControl):
		wrong("directory", "%q has control characters", s.Directory)
	}
	if s.RetentionMiB < minRetentionMiB || s.RetentionMiB > maxRetentionMiB {
		wrong("retentionMiB", "%d is out of range (%d to %d)", s.RetentionMiB, minRetentionMiB, maxRetentionMiB)
	}
	if s.Boots < 1 {
		wrong("boots", "%d is out of range (at least 1)", s.Boots)
	}
	s.validateChannels(wrong)
	return errs.ErrorOrNil()
}

// validateChannels checks each channel, and that no port is used twice.
func (s Settings) validateChannels(wrong func(field, format string, args ...any)) {
	ports := map[int]string{}
	for _, name := range s.all() {
		if err := CheckName(name); err != nil {
			wrong("channels", "%v", err)
			continue
		}
		channel, field := s.Channels[name], "channels."+name
		if channel.TCP < 0 || channel.TCP > maxPort {
			wrong(field+".tcp", "%d is out of range (1 to %d, or 0 for none)", channel.TCP, maxPort)
		}
		if name == debugcon && channel.Input {
			wrong(field+".input", "debugcon has no input (leave it out)")
		}
		if !channel.Enable || channel.TCP == 0 {
			continue
		}
		if controlsQEMU(name) {
			wrong(field+".tcp", "a monitor can run commands on this host and must not be on TCP (leave tcp out and use the channel's socket)")
		}
		if other, taken := ports[channel.TCP]; taken {
			wrong(field+".tcp", "port %d is used by channels.%s too", channel.TCP, other)
		}
		ports[channel.TCP] = name
	}
	if len(s.Names()) == 0 {
		wrong("channels", "none is enabled (enable at least one)")
	}
}

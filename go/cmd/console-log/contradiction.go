package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/verdict"
)

// chosen returns the flag that chooses what is printed; "" is the text of a boot. The error is
// that of flags that exclude each other.
func chosen(c *cli.Context) (string, error) {
	var flags []string
	for _, flag := range []string{"list", "events", "verdict", "timeline"} {
		if c.Bool(flag) {
			flags = append(flags, "--"+flag)
		}
	}
	switch format := c.String("format"); {
	case !slices.Contains(formats, format):
		return "", fmt.Errorf("invalid format %q (use %s)", format, strings.Join(formats, " or "))
	case format != plain:
		flags = append(flags, "--format "+format)
	}
	switch len(flags) {
	case 0:
		return "", nil
	case 1:
		return flags[0], nil
	}
	return "", fmt.Errorf("%s and %s: print different things (use one of them)", flags[0], flags[1])
}

// contradiction returns an error if the flags exclude each other.
func contradiction(c *cli.Context, o options) error {
	what, err := chosen(c)
	switch {
	case err != nil:
		return err
	case c.IsSet("channel") && o.place.Console != "":
		return fmt.Errorf("unexpected console %q: a channel has no consoles (leave it out)", o.place.Console)
	case c.Bool("follow") && (what == "--list" || o.boot < 0):
		return errors.New("--follow: continues with new output (leave out --list and --boot)")
	case !slices.Contains(verdict.Treatments(), verdict.Treatment(c.String("warnings"))):
		return fmt.Errorf("invalid warnings %q: must be fail, note or ignore", c.String("warnings"))
	case o.tail > 0 && o.since > 0:
		return errors.New("--tail and --since: both choose where the output begins (use one of them)")
	}
	if err := needed(c, what); err != nil {
		return err
	}
	if what == "" {
		return text(c, o)
	}
	return whole(c, o, what)
}

// needed returns an error for a flag without the output to which it belongs.
func needed(c *cli.Context, what string) error {
	isOneOf := func(outputs ...string) bool { return slices.Contains(outputs, what) }
	switch {
	case c.Bool("json") && !isOneOf("--list", "--events", "--verdict"):
		return errors.New("--json: only for --list, --events and --verdict (add one of them)")
	case (c.IsSet("warnings") || c.IsSet("allow")) && what != "--verdict":
		return errors.New("--warnings and --allow: only for a verdict (add --verdict)")
	case c.IsSet("file") && what == "--timeline":
		return errors.New("--timeline: is of a journal, which has times (leave out --file)")
	case c.IsSet("decode") && what != "":
		return fmt.Errorf("--decode: only for the text of a boot (leave out %s)", what)
	case c.IsSet("file") && !isOneOf("--events", "--verdict") && !c.IsSet("decode"):
		return errors.New("--file: only for events, a verdict or source lines (add --events, --verdict or --decode)")
	case c.IsSet("modules") && !c.IsSet("decode"):
		return errors.New("--modules: only with --decode (add --decode VMLINUX)")
	}
	return nil
}

// text returns an error for the flags that the text of a log excludes.
func text(c *cli.Context, o options) error {
	if c.IsSet("file") && (c.Bool("follow") || o.since > 0 || o.tail > 0 || c.Bool("timestamps")) {
		return errors.New("--file: is decoded as a whole (leave out --follow, --since, --tail and --timestamps)")
	}
	return ownLog(c, o)
}

// whole returns an error for the flags that an output of a whole boot, or of all boots, excludes.
func whole(c *cli.Context, o options, what string) error {
	if what == "--list" {
		if o.oneBoot || o.since > 0 || o.tail > 0 {
			return errors.New("--list: lists all boots (leave out --boot, --since and --tail)")
		}
		return nil
	}
	for _, flag := range []string{"follow", "since", "tail", "timestamps", "raw"} {
		if c.IsSet(flag) {
			return fmt.Errorf("%s: is on a whole boot (leave out --%s)", what, flag)
		}
	}
	return ownLog(c, o)
}

// ownLog returns an error for the flags that the log of --file excludes.
func ownLog(c *cli.Context, o options) error {
	if c.IsSet("file") && (c.IsSet("name") || c.IsSet("channel") || o.oneBoot || o.place.Console != "") {
		return errors.New("--file: is a log of its own (leave out --name, --channel, --boot and the console)")
	}
	return nil
}

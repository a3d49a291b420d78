package cmdline

import (
	"flag"
	"fmt"
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"
)

// The sentences of package flag, from which cli has them, about a flag whose value
// it cannot take: there is no type for them.
var (
	refusedValue = regexp.MustCompile(`^invalid (?:boolean )?value ("(?:[^"\\]|\\.)*") for (?:flag )?-([^:]+): (.*)$`)
	missingValue = regexp.MustCompile(`^flag needs an argument: -(.+)$`)
)

// refused is the error of wrong usage for err, with which cli refuses the flags of
// c. Where it is the value of a flag, it says what to write instead.
func refused(c *cli.Context, err error) error {
	text := strings.ReplaceAll(err.Error(), "\n", `\n`) // in a name that is none
	if found := refusedValue.FindStringSubmatch(text); found != nil {
		if known := flagOf(c, found[2]); known != nil {
			return Usage("%s: %s %s", found[2], found[1], wanted(known, found[3]))
		}
	}
	if found := missingValue.FindStringSubmatch(text); found != nil {
		if known := flagOf(c, found[1]); known != nil {
			place, _ := flag.UnquoteUsage(&flag.Flag{Usage: known.GetUsage()})
			return Usage("%s: its value is missing (write --%s %s)", found[1], found[1], place)
		}
	}
	return Usage("%s (see %s --help)", text, called(c))
}

// flagOf is the flag called name of a command, or of its program; nil: there is none.
func flagOf(c *cli.Context, name string) cli.DocGenerationFlag {
	all := c.App.Flags
	if c.Command != nil {
		all = append(c.Command.Flags[:len(c.Command.Flags):len(c.Command.Flags)], all...)
	}
	for _, one := range all {
		known, documented := one.(cli.DocGenerationFlag)
		for _, other := range one.Names() {
			if documented && other == name {
				return known
			}
		}
	}
	return nil
}

// wanted says what a value is not that a flag has refused for cause, and what can be
// written: the default is a number that every flag takes.
func wanted(refusing cli.DocGenerationFlag, cause string) string {
	kind, example := "value for it", refusing.GetDefaultText()
	switch refusing.(type) {
	case *cli.BoolFlag:
		return fmt.Sprintf("is neither true nor false (write --%s, or leave it out)", refusing.Names()[0])
	case *cli.DurationFlag:
		kind, example = "length of time", "30s"
	case *cli.IntFlag:
		kind = "whole number"
	case *cli.UintFlag:
		kind = "whole number from 0 on"
	}
	if strings.HasSuffix(cause, "value out of range") {
		kind = "number that fits"
	}
	return fmt.Sprintf("is no %s (write one such as %s)", kind, example)
}

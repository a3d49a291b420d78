package cmdline

import (
	"cmp"
	"errors"
	"flag"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/suggest"
)

// refused returns a usage error for c; cause is cli's error. Package flag has a sentence for each mistake but no type, so the first mistake is
// found again.
func refused(c *cli.Context, cause error) error {
	for words := flagWordsOf(c); len(words) > 0 && len(words[0]) > 1 && words[0][0] == '-'; words = words[1:] {
		typed, value, hasValue := strings.Cut(words[0], "=")
		known := flagOf(c, flagName(typed))
		switch {
		case known == nil:
			return unknownFlag(c, typed)
		case commandOf(c) != "" && !slices.Contains(namesOf(c.Command.Flags), flagName(typed)):
			return Usage("flag %s belongs to %s, not to %s (write it before %s)", typed, c.App.Name, called(c), commandOf(c))
		case !known.TakesValue() && !hasValue:
			continue
		case !hasValue && len(words) == 1:
			return needsValue(known, typed)
		case !hasValue:
			value, words = words[1], words[1:]
		}
		if !accepts(known, value) {
			return invalidValue(known, value)
		}
	}
	return Usage("%w (see %s --help)", cause, called(c))
}

// checkValues returns an error for an empty name of a file, and for a file that another one would
// replace. Of other flags the last one counts, as in aliases; so does a user's --config, which
// replaces the one that the wrapper of a VM's package passes.
func checkValues(c *cli.Context) error {
	given := map[cli.Flag]bool{}
	for words := flagWordsOf(c); len(words) > 0 && strings.HasPrefix(words[0], "-"); words = words[1:] {
		typed, value, hasValue := strings.Cut(words[0], "=")
		known := flagOf(c, flagName(typed))
		if known == nil { // "-" or "--"
			return nil
		}
		if !known.TakesValue() {
			continue
		}
		if !hasValue {
			value, words = words[1], words[1:]
		}
		switch {
		case value == "" && isFile(known):
			return needsValue(known, typed)
		case given[known] && isFile(known) && known.Names()[0] != "config":
			return Usage("flag %s is given twice (use one of them)", typed)
		}
		given[known] = true
	}
	return nil
}

// isFile reports whether the value of a flag is the name of a file.
func isFile(f cli.Flag) bool {
	file, ok := f.(*cli.StringFlag)
	return ok && file.TakesFile
}

// needsValue returns the error for a flag without its value.
func needsValue(f cli.DocGenerationFlag, typed string) error {
	place, _ := flag.UnquoteUsage(&flag.Flag{Usage: f.GetUsage()})
	return Usage("flag %s needs a value (%s %s)", typed, typed, place)
}

// flagWordsOf returns the words after the program or its command, which contain c's flags.
func flagWordsOf(c *cli.Context) []string {
	words, _ := c.App.Metadata[rawArgs].([]string)
	words = words[min(1, len(words)):]
	if c.Command == nil || c.Command.Name == c.App.Name {
		return words
	}
	for len(words) > 0 && words[0] != c.Command.Name { // a program's own flags have no values
		words = words[1:]
	}
	return words[min(1, len(words)):]
}

// namesOf returns the names of flags.
func namesOf(flags []cli.Flag) []string {
	var names []string
	for _, one := range flags {
		names = append(names, one.Names()...)
	}
	return names
}

// unknownFlag returns the error for a flag that c does not have.
func unknownFlag(c *cli.Context, typed string) error {
	var names []string
	for _, one := range c.Command.VisibleFlags() {
		names = append(names, one.Names()[0])
	}
	remedy := suggest.Hint(strings.TrimLeft(typed, "-"), "--", names)
	if other := manualOf(c.App).Elsewhere[flagName(typed)]; other != "" {
		remedy = " (use " + other + ")"
	}
	if follows := manualOf(c.App).AfterDash; remedy == "" && follows != "" && !strings.HasPrefix(typed, "--") {
		remedy = " (" + follows + " --)"
	}
	return Usage("unknown flag %s%s", quoted(typed), cmp.Or(remedy, " (see "+called(c)+" --help)"))
}

// flagName returns the name of a flag as typed, which begins with one dash or two.
func flagName(typed string) string {
	return strings.TrimPrefix(strings.TrimPrefix(typed, "-"), "-")
}

// quoted returns a word as it was typed if it is a plain one, or else in quotes.
func quoted(word string) string {
	if text := strconv.Quote(word); text != `"`+word+`"` || strings.Contains(word, " ") {
		return text
	}
	return word
}

// flagOf returns the flag of a command, or of its program, with a name; nil if there is none.
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

// accepts reports whether a flag can have a value.
func accepts(f cli.DocGenerationFlag, value string) bool {
	set := flag.NewFlagSet("", flag.ContinueOnError)
	return f.Apply(set) == nil && set.Set(f.Names()[0], value) == nil
}

// invalidValue returns the error for a value that a flag does not accept: what a valid one is,
// and an example.
func invalidValue(f cli.DocGenerationFlag, value string) error {
	name := f.Names()[0]
	want, example := "a value", f.GetDefaultText()
	switch f.(type) {
	case *cli.BoolFlag:
		return Usage("invalid %s %q: write --%s, or leave it out", name, value, name)
	case *cli.DurationFlag:
		want, example = "a duration with its unit", "30s"
	case *cli.IntFlag:
		want = "a whole number"
	case *cli.UintFlag:
		want = "a whole number that is not negative"
	}
	if _, err := strconv.ParseInt(value, 0, strconv.IntSize); errors.Is(err, strconv.ErrRange) {
		want = "a smaller number"
	}
	return Usage("invalid %s %q: want %s, e.g. %s", name, value, want, example)
}

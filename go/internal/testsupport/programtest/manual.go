package programtest

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
)

// Manual tests what a program, made by app, says about itself: --help fits in 80 columns and
// ends with two examples and the name of the manual page, and that page has all sections,
// all flags and all commands.
func Manual(t *testing.T, app func() *cli.App) {
	t.Helper()
	name := app().Name
	help, man := output(t, app, "--help"), output(t, app, "--man")
	checkHelp(t, name, help)
	if examples := regexp.MustCompile(`(?m)^Examples:\n(  # .+\n  [^# ].*\n){2}\nMore: .*man ` + name + `\n\z`); !examples.MatchString(help) {
		t.Errorf("--help does not end with two examples and the manual page:\n%s", help)
	}
	headings := []string{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "FILES", "EXAMPLES", "SEE ALSO"}
	commands := app().Commands
	if len(commands) > 0 {
		headings = slices.Insert(headings, 4, "COMMANDS")
	}
	var found []string
	for _, match := range regexp.MustCompile(`(?m)^\.SH (.*)$`).FindAllStringSubmatch(man, -1) {
		found = append(found, match[1])
	}
	if !slices.Equal(headings, found) {
		t.Errorf("sections %q, want %q", found, headings)
	}
	hasFlags(t, man, app().Flags)
	for _, command := range commands {
		checkHelp(t, name, output(t, app, command.Name, "--help"))
		if !strings.Contains(man, "\n.SS "+command.Name+"\n") {
			t.Errorf("the manual page lacks the command %s", command.Name)
		}
		hasFlags(t, man, command.Flags)
	}
}

func output(t *testing.T, app func() *cli.App, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if status := cmdline.Run(t.Context(), app(), append([]string{app().Name}, args...), &stdout, &stderr); status != 0 {
		t.Fatalf("%q: status %d: %s", args, status, stderr.String())
	}
	return stdout.String()
}

func checkHelp(t *testing.T, name, help string) {
	t.Helper()
	if !strings.HasPrefix(help, "Usage: "+name) {
		t.Errorf("the help does not begin with the usage:\n%s", help)
	}
	for line := range strings.Lines(help) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
			t.Errorf("the help has a line of %d columns: %s", n, line)
		}
	}
	for _, noise := range []string{"default: false", "default: 0", "global options", "GLOBAL OPTIONS"} {
		if strings.Contains(help, noise) {
			t.Errorf("the help contains %q:\n%s", noise, help)
		}
	}
}

// hasFlags checks that a manual page has all flags.
func hasFlags(t *testing.T, man string, flags []cli.Flag) {
	t.Helper()
	for _, flag := range flags {
		term := `\fB` + strings.ReplaceAll("--"+flag.Names()[0], "-", `\-`) + `\fR`
		if !strings.Contains(man, "\n"+term) {
			t.Errorf("the manual page lacks %s", term)
		}
	}
}

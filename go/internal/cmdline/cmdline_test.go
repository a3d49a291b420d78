package cmdline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-multierror"
	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
)

// TestMain runs the program demo or tool if the test binary is started as one.
func TestMain(m *testing.M) {
	switch os.Getenv("CMDLINE_TEST") {
	case "tool":
		cmdline.Main(tool(func(*cli.Context) error { return errors.New("was run") }))
	case "demo":
		cmdline.Main(demo(func(c *cli.Context) error {
			fmt.Fprintln(c.App.Writer, "running")
			if c.Bool("stay") {
				<-c.Done()
				fmt.Fprintln(c.App.Writer, "ending")
				if c.Int("count") > 0 {
					select {}
				}
			}
			return nil
		}))
	}
	os.Exit(m.Run())
}

// demo returns a program with an action.
func demo(action cli.ActionFunc) *cli.App {
	return &cli.App{
		Name: "demo", Usage: "show what all programs share", ArgsUsage: "FILE",
		Description: "Some long text that describes the program in so many words that they do not fit in a line.\n\n.dot",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "count", Usage: "a `NUMBER`"},
			&cli.BoolFlag{Name: "stay", Usage: "wait for a signal"},
			&cli.UintFlag{Name: "port", Value: 7, Usage: "a `NUMBER`"},
			&cli.DurationFlag{Name: "limit", Usage: "a `TIME`"},
			&cli.StringFlag{Name: "shade", Value: "red", Usage: "a `COLOR`"},
			&cli.StringFlag{Name: "output", Usage: "a `FILE`", TakesFile: true, EnvVars: []string{"DEMO_OUTPUT"}},
		},
		Metadata: cmdline.Manual{
			AfterDash: "QEMU's arguments follow",
			Elsewhere: map[string]string{"list": "tool --list"},
			Exit:      []cmdline.Entry{{Term: "0", Text: "success"}},
			Files:     []cmdline.Entry{{Term: "~/.demo", Text: "the settings"}},
			Examples: []cmdline.Entry{
				{Term: "demo --stay file", Text: "Wait for a signal"}, {Term: "demo 'a b'", Text: "Use a name with a space"}, {Term: "demo", Text: "A third"},
			},
			SeeAlso: []string{"tool(1)"},
			Values:  map[string]cmdline.Values{"shade": cmdline.OneOf("red", "green", "gray")},
		}.Metadata(),
		Action: action,
	}
}

// run runs the program demo with an action.
func run(t *testing.T, action cli.ActionFunc, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = cmdline.Run(t.Context(), demo(action), append([]string{"demo"}, args...), &out, &errs)
	return status, out.String(), errs.String()
}

func TestAnErrorGivesAStatusAndALineForEachMistake(t *testing.T) {
	plain, late := errors.New("disk: full"), context.DeadlineExceeded.Error()
	tests := []struct {
		name   string
		err    error
		status int
		stderr string
	}{
		{"done", nil, 0, ""},
		{"failed", plain, 1, "demo: disk: full\n"},
		{"an explicit status", cmdline.Status(cmdline.StatusNoVM, plain), 3, "demo: disk: full\n"},
		{"a wrapped status", fmt.Errorf("vm: %w", cmdline.Status(cmdline.StatusPanic, plain)), 4, "demo: vm: disk: full\n"},
		{"nil with a status", cmdline.Status(cmdline.StatusPanic, nil), 0, ""},
		{"usage", cmdline.Usage("%q is not a file", "x"), 2, "demo: \"x\" is not a file\n"},
		{"a time limit", fmt.Errorf("vm: %w", context.DeadlineExceeded), 5, "demo: vm: " + late + "\n"},
		{"a time limit with a status", cmdline.Status(cmdline.StatusFailed, context.DeadlineExceeded), 1, "demo: " + late + "\n"},
		{"several mistakes", cmdline.Status(2, multierror.Append(nil, plain, errors.New("ink: low"))), 2, "demo: disk: full\ndemo: ink: low\n"},
		{"a status among several", multierror.Append(plain, cmdline.Status(3, plain)), 3, "demo: disk: full\ndemo: disk: full\n"},
		{"joined errors", errors.Join(plain, errors.New("ink: low")), 1, "demo: disk: full\ndemo: ink: low\n"},
		{"joined ones among several", multierror.Append(plain, errors.Join(plain, plain)), 1, strings.Repeat("demo: disk: full\n", 3)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			status, stdout, stderr := run(t, func(*cli.Context) error { return test.err })
			if status != test.status || stdout != "" {
				t.Errorf("status %d, want %d; stdout %q", status, test.status, stdout)
			}
			if diff := cmp.Diff(test.stderr, stderr); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWrongUsage(t *testing.T) {
	none := cmdline.NoArguments
	one := func(c *cli.Context) error {
		_, err := cmdline.Arguments(c, 1)
		return err
	}
	dash := func(c *cli.Context) error {
		_, err := cmdline.AfterDash(c, "QEMU's arguments follow")
		return err
	}
	tests := []struct {
		name   string
		action cli.ActionFunc
		args   string
		stderr string
	}{
		{"an unknown flag", none, "--color", "unknown flag --color (see demo --help)"},
		{"a misspelt flag", none, "--stay --cuont 1", "unknown flag --cuont (did you mean --count?)"},
		{"a misspelt flag with a value", none, "--cuont=1", "unknown flag --cuont (did you mean --count?)"},
		{"an unknown flag of two lines", none, "--a\nb", `unknown flag "--a\nb" (see demo --help)`},
		{"an unknown flag after a value", none, "--count 3 -m 512", "unknown flag -m (QEMU's arguments follow --)"},
		{"a flag of another program", none, "--stay --list", "unknown flag --list (use tool --list)"},
		{"three dashes", none, "---stay", "unknown flag ---stay (did you mean --stay?)"},
		{"a flag without its value", none, "--count", "flag --count needs a value (--count NUMBER)"},
		{"a word for a number", none, "--count many", `invalid count "many": want a whole number, e.g. 0`},
		{"a number too large", none, "--count 1e30", `invalid count "1e30": want a whole number, e.g. 0`},
		{"a number of too many digits", none, "--count 99999999999999999999", `invalid count "99999999999999999999": want a smaller number, e.g. 0`},
		{"a number below 0", none, "--port -1", `invalid port "-1": want a whole number that is not negative, e.g. 7`},
		{"a word for a time", none, "--limit soon", `invalid limit "soon": want a duration with its unit, e.g. 30s`},
		{"a time without a unit", none, "--count 5 --limit=30", `invalid limit "30": want a duration with its unit, e.g. 30s`},
		{"a time with quotes", none, "--limit \"a:\n\"", `invalid limit "\"a:\n\"": want a duration with its unit, e.g. 30s`},
		{"a word for yes", none, "--stay=maybe", `invalid stay "maybe": write --stay, or leave it out`},
		{"a file twice", none, "--output a --stay --stay --output=b", "flag --output is given twice (use one of them)"},
		{"a file twice, with one dash", none, "-output a --output a a", "flag --output is given twice (use one of them)"},
		{"an empty name of a file", none, "--output=", "flag --output needs a value (--output FILE)"},
		{"an argument too many", none, "a", `unexpected argument "a" (see demo --help)`},
		{"the second argument", one, "a b", `unexpected argument "b" (see demo --help)`},
		{"an argument missing", one, "", "which file? (usage: demo FILE)"},
		{"a flag after an argument", one, "a --stay", `flag "--stay" follows an argument (flags precede arguments)`},
		{"an argument before the dash", dash, "a -- b", `unexpected argument "a" (QEMU's arguments follow --)`},
		{"an argument without a dash", dash, "a", `unexpected argument "a" (QEMU's arguments follow --)`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			args := strings.FieldsFunc(test.args, func(r rune) bool { return r == ' ' })
			status, stdout, stderr := run(t, test.action, args...)
			if diff := cmp.Diff("demo: "+test.stderr+"\n", stderr); diff != "" {
				t.Error(diff)
			}
			if status != cmdline.StatusUsage || stdout != "" {
				t.Errorf("status %d, stdout %q", status, stdout)
			}
		})
	}
}

func TestArguments(t *testing.T) {
	status, _, stderr := run(t, func(c *cli.Context) error {
		got, err := cmdline.Arguments(c, 2)
		if diff := cmp.Diff([]string{"-", "b"}, got); diff != "" {
			t.Error(diff)
		}
		return err
	}, "--stay", "-", "b")
	if status != 0 {
		t.Error(stderr)
	}
}

func TestAfterDash(t *testing.T) {
	tests := []struct {
		args string
		want []string
	}{
		{"", nil},
		{"--stay", nil},
		{"--", []string{}},
		{"--stay -- -m 1G --stay", []string{"-m", "1G", "--stay"}},
		{"-- a -- b", []string{"a", "--", "b"}},
	}
	for _, test := range tests {
		t.Run(test.args, func(t *testing.T) {
			status, _, stderr := run(t, func(c *cli.Context) error {
				got, err := cmdline.AfterDash(c, "QEMU's arguments follow")
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Error(diff)
				}
				return err
			}, strings.Fields(test.args)...)
			if status != 0 {
				t.Error(stderr)
			}
		})
	}
}

const demoHelp = `Usage: demo [options] FILE

Show what all programs share.

Some long text that describes the program in so many words that they do not fit
in a line.

.dot

Options:
  --count NUMBER  a NUMBER
  --stay          wait for a signal
  --port NUMBER   a NUMBER (default: 7)
  --limit TIME    a TIME
  --shade COLOR   a COLOR (default: red)
  --output FILE   a FILE (default: $DEMO_OUTPUT)
  --help, -h      show help
  --version, -v   print the version

Exit status:
  0  success

Examples:
  # Wait for a signal
  demo --stay file
  # Use a name with a space
  demo 'a b'

More: man demo
`

var demoMan = `.TH DEMO 1 "" "microvm-console ` + cmdline.Version + `" "microvm-console"
.nh
.ad l
.SH NAME
demo \- show what all programs share
.SH SYNOPSIS
\fBdemo\fR [options] FILE
.SH DESCRIPTION
Some long text that describes the program in so many words that they do not fit in a line.
.PP
\&.dot
.SH OPTIONS
.TP
\fB\-\-count\fR \fINUMBER\fR
a NUMBER
`

// A program describes itself on stdout, without running its action.
func TestDescriptions(t *testing.T) {
	for args, want := range map[string]string{
		"--version": "demo version " + cmdline.Version + "\n",
		"--help":    demoHelp,
		"--man":     demoMan,
	} {
		t.Run(args, func(t *testing.T) {
			status, stdout, stderr := run(t, func(*cli.Context) error {
				t.Error("the action was run")
				return nil
			}, args)
			if status != 0 || stderr != "" {
				t.Errorf("status %d, stderr %q", status, stderr)
			}
			if diff := cmp.Diff(want, stdout[:min(len(want), len(stdout))]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The end of the manual page: what has no place in cli.App.
func TestManualPageEnds(t *testing.T) {
	const want = `.SH EXIT STATUS
.TP
\fB0\fR
success
.SH FILES
.TP
\fB\(ti/.demo\fR
the settings
.SH EXAMPLES
Wait for a signal:
.PP
.RS 4
.nf
demo \-\-stay file
.fi
.RE
.PP
Use a name with a space:
.PP
.RS 4
.nf
demo \(aqa b\(aq
.fi
.RE
.PP
A third:
.PP
.RS 4
.nf
demo
.fi
.RE
.SH SEE ALSO
tool(1)
`
	_, stdout, _ := run(t, nil, "--man")
	if diff := cmp.Diff(want, stdout[max(0, strings.Index(stdout, ".SH EXIT")):]); diff != "" {
		t.Error(diff)
	}
}

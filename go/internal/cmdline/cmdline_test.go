package cmdline_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-multierror"
	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
)

// TestMain makes the test binary the program demo or tool when it is started
// as one.
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

// demo is a program whose action is action.
func demo(action cli.ActionFunc) *cli.App {
	return &cli.App{
		Name: "demo", Usage: "show what all programs share", ArgsUsage: "FILE",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "count", Usage: "a `NUMBER`"},
			&cli.BoolFlag{Name: "stay", Usage: "wait for a signal"},
			&cli.UintFlag{Name: "port", Value: 7, Usage: "a `NUMBER`"},
			&cli.DurationFlag{Name: "limit", Usage: "a `TIME`"},
		},
		Action: action,
	}
}

// run runs the program demo.
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
		{"a status of its own", cmdline.Status(cmdline.StatusNoVM, plain), 3, "demo: disk: full\n"},
		{"a status within", fmt.Errorf("vm: %w", cmdline.Status(cmdline.StatusPanic, plain)), 4, "demo: vm: disk: full\n"},
		{"no error with a status", cmdline.Status(cmdline.StatusPanic, nil), 0, ""},
		{"usage", cmdline.Usage("%q is no file", "x"), 2, "demo: \"x\" is no file\n"},
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

// unknown returns the words of package flag about a flag that is not defined, with
// which cli refuses it.
func unknown(name string) string {
	set := flag.NewFlagSet("", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	return set.Parse([]string{name}).Error()
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
		{"an unknown flag", none, "--colour", unknown("-colour") + " (see demo --help)"},
		{"an unknown flag of two lines", none, "--a\nb", unknown(`-a\nb`) + " (see demo --help)"},
		{"a flag without its value", none, "--count", "count: its value is missing (write --count NUMBER)"},
		{"a word for a number", none, "--count many", `count: "many" is no whole number (write one such as 0)`},
		{"a number too large", none, "--count 1e30", `count: "1e30" is no whole number (write one such as 0)`},
		{"a number of too many digits", none, "--count 99999999999999999999", `count: "99999999999999999999" is no number that fits (write one such as 0)`},
		{"a number below 0", none, "--port -1", `port: "-1" is no whole number from 0 on (write one such as 7)`},
		{"a word for a time", none, "--limit soon", `limit: "soon" is no length of time (write one such as 30s)`},
		{"a time without a unit", none, "--limit 30", `limit: "30" is no length of time (write one such as 30s)`},
		{"a time with quotes", none, "--limit \"a:\n\"", `limit: "\"a:\n\"" is no length of time (write one such as 30s)`},
		{"a word for yes", none, "--stay=maybe", `stay: "maybe" is neither true nor false (write --stay, or leave it out)`},
		{"an argument too many", none, "a", `unexpected argument "a" (see demo --help)`},
		{"the second argument", one, "a b", `unexpected argument "b" (see demo --help)`},
		{"an argument missing", one, "", "1 argument(s) missing (usage: demo FILE)"},
		{"a flag after an argument", one, "a --stay", `flag "--stay" stands after an argument (flags stand before arguments)`},
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

// TestDescriptions wants what a program says about itself on stdout, without
// its action being run.
func TestDescriptions(t *testing.T) {
	tests := []struct {
		args string
		want []string
	}{
		{"--version", []string{"demo version " + cmdline.Version + "\n"}},
		{"--help", []string{"demo - show what all programs share", "--count NUMBER", "a NUMBER", "--stay", "--help", "--version"}},
		{"--man", []string{".TH demo 1", "\n.SH NAME\n", "show what all programs share", `\fB--count\fP`}},
	}
	for _, test := range tests {
		t.Run(test.args, func(t *testing.T) {
			status, stdout, stderr := run(t, func(*cli.Context) error {
				t.Error("the program was run")
				return nil
			}, test.args)
			if status != 0 || stderr != "" {
				t.Errorf("status %d, stderr %q", status, stderr)
			}
			for _, want := range test.want {
				if !strings.Contains(stdout, want) {
					t.Errorf("%q is not in\n%s", want, stdout)
				}
			}
		})
	}
}

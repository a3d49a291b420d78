package cmdline_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"

	"microvm-console/internal/candidates"
	"microvm-console/internal/cmdline"
)

// planks are the arguments of the command saw, long ones after --clean.
func planks(c *cli.Context) []candidates.Word {
	if c.Bool("clean") {
		return []candidates.Word{{Text: "long"}}
	}
	return []candidates.Word{{Text: "oak", Note: "hard:\tand heavy"}, {Text: "ash"}}
}

// tool returns a program with commands; the action of saw is action.
func tool(action cli.ActionFunc) *cli.App {
	return &cli.App{
		Name: "tool", Usage: "show what programs with commands share",
		Metadata: cmdline.Manual{
			Examples:  []cmdline.Entry{{Term: "tool sand", Text: "Make smooth"}, {Term: "tool saw oak", Text: "Cut oak"}},
			Arguments: map[string]cmdline.Values{"saw": planks},
		}.Metadata(),
		Commands: []*cli.Command{
			{
				Name: "saw", Usage: "cut in two", ArgsUsage: "PLANK...", Description: "Cuts slowly.",
				Flags:  []cli.Flag{&cli.IntFlag{Name: "count", Usage: "a `NUMBER`"}, &cli.BoolFlag{Name: "clean"}},
				Action: action,
			},
			{Name: "sand", Usage: "make smooth", Action: cmdline.NoArguments},
		},
	}
}

// runTool runs the program tool.
func runTool(t *testing.T, action cli.ActionFunc, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = cmdline.Run(t.Context(), tool(action), append([]string{"tool"}, args...), &out, &errs)
	return status, out.String(), errs.String()
}

func TestACommandIsRun(t *testing.T) {
	status, _, stderr := runTool(t, func(c *cli.Context) error {
		got, err := cmdline.SomeArguments(c)
		if diff := cmp.Diff([]string{"a", "b"}, got); diff != "" || c.Int("count") != 3 {
			t.Error(diff)
		}
		return err
	}, "saw", "--count", "3", "a", "b")
	if status != 0 {
		t.Error(stderr)
	}
}

func TestWrongUsageOfCommands(t *testing.T) {
	some := func(c *cli.Context) error {
		_, err := cmdline.SomeArguments(c)
		return err
	}
	tests := []struct{ name, args, stderr string }{
		{"no command", "", "which command? (saw, sand; see tool --help)"},
		{"an unknown command", "drill", `unknown command "drill" (saw, sand; see tool --help)`},
		{"a misspelt command", "sadn", `unknown command "sadn" (did you mean sand?)`},
		{"help as a command", "help saw", `unknown command "help" (saw, sand; see tool --help)`},
		{"an unknown flag", "--color saw", "unknown flag --color (see tool --help)"},
		{"a command's unknown flag", "saw --color a", "unknown flag --color (see tool saw --help)"},
		{"a command's misspelt flag", "saw --clean --conut 3 a", "unknown flag --conut (did you mean --count?)"},
		{"a command's flag without its value", "saw --count", "flag --count needs a value (--count NUMBER)"},
		{"a command's flag before it", "--count 1 saw", "unknown flag --count (see tool --help)"},
		{"a command's flag after an argument", "saw a --count 1", `flag "--count" follows an argument (flags precede arguments)`},
		{"a command's argument missing", "saw", "which plank? (oak, ash)"},
		{"a command's argument too many", "sand a", `unexpected argument "a" (see tool sand --help)`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			status, stdout, stderr := runTool(t, some, strings.Fields(test.args)...)
			if diff := cmp.Diff("tool: "+test.stderr+"\n", stderr); diff != "" {
				t.Error(diff)
			}
			if status != cmdline.StatusUsage || stdout != "" {
				t.Errorf("status %d, stdout %q", status, stdout)
			}
		})
	}
}

func TestDescriptionsOfCommands(t *testing.T) {
	tests := []struct {
		args string
		want []string
	}{
		{"--help", []string{"Usage: tool COMMAND [options] [arguments...]\n", "saw   cut in two", "sand  make smooth", "--version", "tool saw oak", "More: tool COMMAND --help, man tool\n"}},
		{"saw --help", []string{"Usage: tool saw [options] PLANK...\n\nCut in two.\n\nCuts slowly.", "--count NUMBER", "# Cut oak\n  tool saw oak\n\nMore: man tool\n"}},
		{"--man", []string{".SH COMMANDS\n.SS saw\n", "Cut in two.", "\\fBtool saw\\fR [options] PLANK...", "Cuts slowly.", `\fB\-\-count\fR`, ".SS sand\n\\fBtool sand\\fR [options]\n"}},
	}
	for _, test := range tests {
		t.Run(test.args, func(t *testing.T) {
			status, stdout, stderr := runTool(t, func(*cli.Context) error {
				t.Error("the command was run")
				return nil
			}, strings.Fields(test.args)...)
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

package cmdline_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
)

// tool is a program with commands, which do action.
func tool(action cli.ActionFunc) *cli.App {
	return &cli.App{
		Name: "tool", Usage: "show what programs with commands share",
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
		{"no command", "", "a command is missing (one of saw, sand; see tool --help)"},
		{"an unknown command", "drill", `"drill" is no command (one of saw, sand; see tool --help)`},
		{"help as a command", "help saw", `"help" is no command (one of saw, sand; see tool --help)`},
		{"an unknown flag", "--colour saw", unknown("-colour") + " (see tool --help)"},
		{"a command's unknown flag", "saw --colour a", unknown("-colour") + " (see tool saw --help)"},
		{"a command's flag without its value", "saw --count", "count: its value is missing (write --count NUMBER)"},
		{"a command's flag before it", "--count 1 saw", unknown("-count") + " (see tool --help)"},
		{"a command's flag after an argument", "saw a --count 1", `flag "--count" stands after an argument (flags stand before arguments)`},
		{"a command's argument missing", "saw", "1 argument(s) missing (usage: tool saw PLANK...)"},
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
		{"--help", []string{"tool - show what programs with commands share", "saw   cut in two", "sand  make smooth", "--version"}},
		{"saw --help", []string{"tool saw - cut in two", "tool saw [command options] PLANK...", "Cuts slowly.", "--count NUMBER"}},
		{"--man", []string{
			".TH tool 1", "tool [options] command [command options] [arguments...]\n",
			".SH saw\n", "cut in two", "tool saw [options] PLANK...", "Cuts slowly.", `\fB--count\fP`, "tool sand [options]\n",
		}},
		{"--completion fish", []string{"-a 'saw' -d 'cut in two'", "'__fish_seen_subcommand_from saw' -f -l count"}},
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

// TestBashCompletesCommands has bash complete the last word of a line, as
// TestBashCompletes does for a program without commands.
func TestBashCompletesCommands(t *testing.T) {
	tests := []struct {
		name string
		line []string
		want string
	}{
		{"a command", []string{"tool", ""}, "saw sand"},
		{"a command that has begun", []string{"tool", "san"}, "sand"},
		{"a flag of the program", []string{"tool", "--ver"}, "--version"},
		{"a command's flag that has begun", []string{"tool", "saw", "--co"}, "--count"},
		{"a command's flags", []string{"tool", "saw", "--"}, "--count --clean --help"},
		{"a command's argument", []string{"tool", "saw", "sa"}, ""},
	}
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "tool")); err != nil {
		t.Fatal(err)
	}
	_, script, _ := runTool(t, nil, "--completion", "bash")
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ask := script + `
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_tool
echo "${COMPREPLY[*]}"`
			command := exec.Command(bash(t), append([]string{"-c", ask, "bash"}, test.line...)...)
			command.Env = append(os.Environ(), "CMDLINE_TEST=tool", "GORACE=atexit_sleep_ms=0", "PATH="+dir+":"+os.Getenv("PATH"))
			out, err := command.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if diff := cmp.Diff(test.want, strings.TrimSpace(string(out))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

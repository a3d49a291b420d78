package cmdline_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
)

// script is the completion script for a shell.
func script(t *testing.T, shell string) string {
	t.Helper()
	status, stdout, stderr := run(t, func(*cli.Context) error {
		t.Error("the program was run")
		return nil
	}, "--completion", shell)
	if status != 0 || stderr != "" {
		t.Fatalf("status %d, stderr %q", status, stderr)
	}
	return stdout
}

func TestCompletionScripts(t *testing.T) {
	for shell, want := range map[string]string{
		"bash": "complete -o bashdefault -o default -F _demo demo\n",
		"zsh":  "#compdef demo\n",
		"fish": "complete -c demo -n '__fish_demo_no_subcommand' -f -l count -r -d 'a `NUMBER`'",
	} {
		t.Run(shell, func(t *testing.T) {
			if text := script(t, shell); !strings.Contains(text, want) {
				t.Errorf("%q is not in\n%s", want, text)
			}
		})
	}
}

func TestCompletionForAnUnknownShell(t *testing.T) {
	status, _, stderr := run(t, nil, "--completion", "tcsh")
	if want := "demo: completion: no script for \"tcsh\" (bash, zsh and fish have one)\n"; stderr != want || status != cmdline.StatusUsage {
		t.Errorf("status %d, %q", status, stderr)
	}
}

// bash is the path of bash.
func bash(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash here (install bash)")
	}
	return path
}

func TestBashReadsItsScript(t *testing.T) {
	command := exec.Command(bash(t), "-n")
	command.Stdin = strings.NewReader(script(t, "bash"))
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// TestBashCompletes has bash complete the last word of a line. The program is
// asked for it and must never be run.
func TestBashCompletes(t *testing.T) {
	tests := []struct {
		name string
		line []string
		want string
	}{
		{"a flag that has begun", []string{"demo", "--co"}, "--count"},
		{"another, after a flag", []string{"demo", "--count", "1", "--st"}, "--stay"},
		{"all flags", []string{"demo", "--"}, "--count --stay --port --limit --help --version"},
		{"no flag", []string{"demo", ""}, ""},
		{"an argument", []string{"demo", "file"}, ""},
		{"nothing like it", []string{"demo", "--colour"}, ""},
	}
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "demo")); err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ask := script(t, "bash") + `
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_demo
echo "${COMPREPLY[*]}"`
			command := exec.Command(bash(t), append([]string{"-c", ask, "bash"}, test.line...)...)
			command.Env = append(program(t).Env, "PATH="+dir+":"+os.Getenv("PATH"))
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

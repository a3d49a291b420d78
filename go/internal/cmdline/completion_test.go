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

func TestCompletionForAnUnknownShell(t *testing.T) {
	status, _, stderr := run(t, nil, "--completion", "tcsh")
	if want := "demo: unknown shell \"tcsh\" (want bash, zsh or fish)\n"; stderr != want || status != cmdline.StatusUsage {
		t.Errorf("status %d, %q", status, stderr)
	}
}

// completions are command lines, whose last word is completed, and the candidates.
var completions = []struct{ name, line, want string }{
	{"a flag", "demo --s", "--stay --shade"},
	{"another, after a flag", "demo --count 1 --st", "--stay"},
	{"flags that are not given yet", "demo --count=1 --stay --", "--port --limit --shade --output --help --version"},
	{"a word that no flag begins with", "demo --size", ""},
	{"a value", "demo --shade ", "red green gray"},
	{"the beginning of a value", "demo --stay --shade gr", "green gray"},
	{"a value that is not known", "demo --count ", ""},
	{"a value in the word of its flag", "demo --shade=gr", "--shade=green --shade=gray"},
	{"a file as a value", "demo --output ", ":files"},
	{"a file as an argument", "demo ", ":files"},
	{"after a dash", "demo -- ", ":files"},
	{"a command", "tool ", "saw sand"},
	{"the beginning of a command", "tool san", "sand"},
	{"a whole command", "tool saw", "saw"},
	{"a flag of the program", "tool --ver", "--version"},
	{"a command's flag", "tool saw --co", "--count"},
	{"a command's flags", "tool saw --", "--count --clean --help"},
	{"a command's arguments", "tool saw ", "oak ash"},
	{"a command's second argument", "tool saw ash o", "oak"},
	{"an argument after a flag", "tool saw --clean ", "long"},
	{"a command without arguments", "tool sand ", "--help"},
	{"after an unknown command", "tool drill ", "saw sand"},
}

// TestCompletions asks the programs as the scripts of the shells do. They must not run.
func TestCompletions(t *testing.T) {
	for _, test := range completions {
		t.Run(test.name, func(t *testing.T) {
			action := func(*cli.Context) error {
				t.Error("the action was run")
				return nil
			}
			words := strings.Split(test.line, " ")
			args := append(words[1:], "--generate-bash-completion")
			do := runTool
			if words[0] == "demo" {
				do = run
			}
			status, stdout, stderr := do(t, action, args...)
			if status != 0 || stderr != "" {
				t.Errorf("status %d, %s", status, stderr)
			}
			if diff := cmp.Diff(test.want, texts(stdout)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// texts returns the candidates in the output of a program, without their notes.
func texts(output string) string {
	var all []string
	for line := range strings.Lines(output) {
		text, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

func TestNotesAreInOneLine(t *testing.T) {
	_, stdout, _ := runTool(t, nil, "saw", "", "--generate-bash-completion")
	if diff := cmp.Diff("oak\thard: and heavy\nash\n", stdout); diff != "" {
		t.Error(diff)
	}
}

// shells complete the last word of a command line as the shell does at its prompt, by the
// script that is at the path $1: they print each candidate, and ":files" for files. $2 is the line.
var shells = map[string]string{
	"bash": `
		. "$1"
		read -ra COMP_WORDS <<< "$2"
		[[ $2 == *" " ]] && COMP_WORDS+=("")
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		compopt() { COMPREPLY+=(":files"); }
		_${COMP_WORDS[0]}
		printf '%s\n' "${COMPREPLY[@]}"`,
	"zsh": `
		_describe() { print -l -- ${${(P)3}%%:*} }
		_files() { print :files }
		words=(${(s: :)2})
		[[ $2 == *" " ]] && words+=("")
		CURRENT=$#words
		. "$1" || true # it fails without candidates`,
	"fish": `
		function __fish_complete_path; echo :files; end
		source $argv[1]
		complete -C $argv[2]`,
}

// TestShells has real shells complete command lines.
func TestShells(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	wrapper := "#!/bin/sh\nCMDLINE_TEST=${0##*/} exec " + self + ` "$@"` + "\n"
	for _, name := range []string{"demo", "tool"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(wrapper), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for shell, ask := range shells {
		t.Run(shell, func(t *testing.T) {
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Skipf("no %s here (install %s)", shell, shell)
			}
			for _, test := range completions {
				program, _, _ := strings.Cut(test.line, " ")
				do := runTool
				if program == "demo" {
					do = run
				}
				_, script, _ := do(t, nil, "--completion", shell)
				file := filepath.Join(dir, program+"."+shell)
				if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
					t.Fatal(err)
				}
				args := []string{"-c", ask, shell, file, test.line}
				if shell == "fish" {
					args = []string{"--no-config", "-c", ask, file, test.line}
				}
				command := exec.CommandContext(t.Context(), path, args...)
				command.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", "HOME="+dir, "PATH="+dir+":"+os.Getenv("PATH"))
				out, err := command.CombinedOutput()
				if err != nil {
					t.Fatalf("%s: %v: %s", test.name, err, out)
				}
				if diff := cmp.Diff(test.want, texts(string(out))); diff != "" {
					t.Errorf("%s: %s", test.name, diff)
				}
			}
		})
	}
}

package flake

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// longFlag matches a flag in the output of --help.
var longFlag = regexp.MustCompile(`(?m)^ {2}--([a-z][a-z-]*)`)

// packaged returns the share folder of the package, and the flags in --help of each program.
func packaged(t *testing.T) (share string, flags map[string][]string) {
	t.Helper()
	tools := harness.Build(t, "tools")
	programs, err := os.ReadDir(filepath.Join(tools, "bin"))
	if err != nil || len(programs) == 0 {
		t.Fatalf("%d programs, %v", len(programs), err)
	}
	harness.Setenv(t, "PATH", filepath.Join(tools, "bin")+":"+harness.Getenv(t, "PATH"))
	flags = map[string][]string{}
	for _, program := range programs {
		help := harness.Must(t, harness.Root, program.Name(), "--help")
		for _, match := range longFlag.FindAllStringSubmatch(help, -1) {
			flags[program.Name()] = append(flags[program.Name()], match[1])
		}
		if len(flags[program.Name()]) < 2 { // --help and --version at least
			t.Errorf("%s --help lists the flags %q:\n%s", program.Name(), flags[program.Name()], help)
		}
	}
	return filepath.Join(tools, "share"), flags
}

// needs skips the test if a program is missing; debian is the Debian package that has it.
func needs(t *testing.T, name, debian string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		harness.Skip(t, name, "install Debian's "+debian)
	}
}

// man reads each program's manual page without a warning, and the page has every flag of
// --help.
func TestManualPages(t *testing.T) {
	t.Parallel()
	needs(t, "man", "man-db")
	share, flags := packaged(t)
	harness.Setenv(t, "MANPAGER", "cat")
	harness.Setenv(t, "MANWIDTH", "1000") // wide enough for every line
	for name, wanted := range flags {
		page := harness.Must(t, harness.Root, "man", "--warnings", filepath.Join(share, "man", "man1", name+".1"))
		for _, flag := range wanted {
			if !strings.Contains(page, "--"+flag) {
				t.Errorf("the manual page of %s lacks --%s:\n%s", name, flag, page)
			}
		}
		if strings.Contains(page, "warning:") {
			t.Errorf("man warns about the page of %s:\n%s", name, page)
		}
	}
}

// TestCompletionInRealShells checks that the shells load the package's completion scripts, and
// that they offer every flag of --help.
func TestCompletionInRealShells(t *testing.T) {
	t.Parallel()
	share, flags := packaged(t)
	shells := []struct{ program, debian, ask string }{
		{"bash", "bash", `
			. ` + share + `/bash-completion/completions/$0
			COMP_WORDS=($0 --) COMP_CWORD=1
			_${0//-/_}
			printf '%s\n' "${COMPREPLY[@]}"`},
		{"zsh", "zsh", `
			fpath=(` + share + `/zsh/site-functions $fpath)
			autoload -Uz compinit && compinit -u -D
			# Print what the completion of $0 offers.
			_describe() { print -l -- ${(P)3} }
			_files() { }
			words=($0 --) CURRENT=2
			$_comps[$0] || true # it fails without candidates`},
		{"fish", "fish", `
			set -p fish_complete_path ` + share + `/fish/vendor_completions.d
			complete -C "$argv[1] --"`},
	}
	for _, shell := range shells {
		t.Run(shell.program, func(t *testing.T) {
			needs(t, shell.program, shell.debian)
			for name, wanted := range flags {
				offered := harness.Must(t, t.TempDir(), shell.program, "-c", shell.ask, name)
				for _, flag := range wanted {
					if !regexp.MustCompile(`(?m)^--` + flag + `\b`).MatchString(offered) {
						t.Errorf("%s does not offer %s --%s:\n%s", shell.program, name, flag, offered)
					}
				}
			}
		})
	}
}

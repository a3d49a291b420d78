package docs

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// vmPrograms is, under each of their names, the programs that the examples start: a VM in which uname
// works, with the statuses of $SHUTDOWN and $VERDICT.
const vmPrograms = `#!/bin/bash
case "${0##*/} $*" in
microvm-exec*) echo Linux ;;
microvm-shutdown*) exit "$SHUTDOWN" ;;
*--verdict*) echo 'fail: panic' && exit "$VERDICT" ;;
console-log*) echo 'the last line' ;;
esac
`

// TestEndOfAVMInExamples checks what examples/go-test and examples/pytest make of the end of a VM after a
// test that passes. They show the verdict also if no VM runs any more, which is status 3.
func TestEndOfAVMInExamples(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	for _, program := range []string{"microvm-run", "microvm-exec", "microvm-shutdown", "console-log"} {
		harness.WriteFile(t, filepath.Join(bin, program), vmPrograms)
		harness.Must(t, bin, "chmod", "+x", program)
	}
	harness.Setenv(t, "PATH", bin+":"+harness.Getenv(t, "PATH"))
	harness.Setenv(t, "MICROVM_CONFIG", filepath.Join(bin, "vm.json"))
	harness.Setenv(t, "PYTHONDONTWRITEBYTECODE", "1")
	for folder, command := range map[string][]string{
		"go-test": {"go", "test", "-count=1", "-run", "TestCommand"},
		"pytest":  {"pytest-3", "-p", "no:cacheprovider", "-k", "test_command"},
	} {
		if _, err := exec.LookPath(command[0]); err != nil {
			harness.Skip(t, command[0], "install Debian's python3-pytest")
		}
		for _, test := range []struct {
			shutdown, verdict string
			want              string // what is shown; "" if the test passes
		}{
			{"0", "0", ""},
			{"3", "0", ""},
			{"3", "1", "fail: panic"},
			{"0", "1", "fail: panic"},
			{"5", "0", "microvm-shutdown"},
		} {
			harness.Setenv(t, "SHUTDOWN", test.shutdown)
			harness.Setenv(t, "VERDICT", test.verdict)
			output, err := harness.Command(t, filepath.Join(harness.Root, "examples", folder), command[0], command[1:]...)
			if (err == nil) != (test.want == "") || !strings.Contains(output, test.want) {
				t.Errorf("%s, %+v: %v\n%s", folder, test, err, output)
			}
			if folder == "go-test" && err != nil && !strings.Contains(output, "the last line") {
				t.Errorf("%+v: it does not show the console:\n%s", test, output)
			}
		}
	}
}

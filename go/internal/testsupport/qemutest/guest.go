package qemutest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// answer is what a command prints, and its exit status.
type answer struct {
	Output string
	Status int
}

// commandLine is how consoletest.Console.Shell asks a shell: two factors, and
// between them a command, quoted.
var commandLine = regexp.MustCompile(`^echo "<\$\(\(6\*(\d+)\)\)>"; \(eval '(.*)'\); echo "<\$\(\(7\*\d+\)\):\$\?>"$`)

// login is a guest at the end of a console: it asks for a login, echoes as a
// terminal does, and answers to the commands in the file that fake.answers names.
func (f *fake) login(in io.Reader, out io.Writer) {
	answers := map[string]answer{"true": {}}
	if path := f.words["fake.answers"]; path != "" {
		text, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(text, &answers)
		}
		if err != nil {
			panic(err)
		}
	}
	fmt.Fprint(out, "demo login: ")
	lines := bufio.NewScanner(in)
	for first := true; lines.Scan(); first = false {
		typed := strings.TrimPrefix(lines.Text(), "\x03")
		fmt.Fprintf(out, "%s\r\n", typed)
		if asked := commandLine.FindStringSubmatch(typed); asked != nil && !first {
			f.answer(out, asked[1], strings.ReplaceAll(asked[2], `'\''`, "'"), answers)
		}
		fmt.Fprint(out, "# ")
	}
}

// answer answers to a command as a shell does; one that is not in answers, with a
// status of its own; "hang" never.
func (f *fake) answer(out io.Writer, factor, command string, answers map[string]answer) {
	if command == "hang" {
		return
	}
	told, ok := answers[command]
	if !ok {
		told = answer{"sh: " + command + ": not found\n", 127}
	}
	n, _ := strconv.Atoi(factor) // digits, by the pattern
	fmt.Fprintf(out, "<%d>\r\n%s<%d:%d>\r\n", 6*n, strings.ReplaceAll(told.Output, "\n", "\r\n"), 7*n, told.Status)
}

// awaitOff echoes until the line that fake.off names has come, says goodbye, and
// powers off.
func (f *fake) awaitOff(in io.Reader, out io.Writer) {
	for lines := bufio.NewScanner(in); lines.Scan(); {
		fmt.Fprintf(out, "%s\r\n", lines.Text())
		if lines.Text() == f.words["fake.off"] {
			fmt.Fprint(out, "good bye\r\n")
			f.end(true, "guest-shutdown")
		}
	}
}

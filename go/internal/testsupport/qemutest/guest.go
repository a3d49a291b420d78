package qemutest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// answer is the output and the exit status of a command.
type answer struct {
	Output string
	Status int
	Reset  bool // the command restarts the guest instead of ending
}

// commandLine matches the line that consoletest.Console.Shell types: a quoted command between two
// products.
var commandLine = regexp.MustCompile(`^echo "<\$\(\(6\*(\d+)\)\)>"; \(eval '(.*)'\); echo "<\$\(\(7\*\d+\)\):\$\?>"$`)

// keys reads what is typed into a terminal: Enter, which sends "\r", ends a line (ICRNL in
// termios(3)).
type keys struct{ in io.Reader }

func (k keys) Read(data []byte) (int, error) {
	n, err := k.in.Read(data)
	copy(data, bytes.ReplaceAll(data[:n], []byte("\r"), []byte("\n")))
	return n, err
}

// login serves a login and a shell on a console. It echoes like a terminal. The shell knows the
// commands in the file of fake.answers.
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
	lines := bufio.NewScanner(keys{in})
	for first := true; lines.Scan(); first = false {
		typed := strings.TrimPrefix(lines.Text(), "\x03")
		fmt.Fprintf(out, "%s\r\n", typed)
		if asked := commandLine.FindStringSubmatch(typed); asked != nil && !first {
			f.answer(out, asked[1], strings.ReplaceAll(asked[2], `'\''`, "'"), answers)
		}
		fmt.Fprint(out, "# ")
	}
}

// answer answers a command as a shell does. An unknown command fails with status 127, and "hang"
// never ends.
func (f *fake) answer(out io.Writer, factor, command string, answers map[string]answer) {
	if command == "hang" {
		return
	}
	found, ok := answers[command]
	if !ok {
		found = answer{Output: "sh: " + command + ": not found\n", Status: 127}
	}
	n, _ := strconv.Atoi(factor) // digits, by the pattern
	fmt.Fprintf(out, "<%d>\r\n%s", 6*n, strings.ReplaceAll(found.Output, "\n", "\r\n"))
	if found.Reset {
		f.send(resetEvent)
		return
	}
	fmt.Fprintf(out, "<%d:%d>\r\n", 7*n, found.Status)
}

// awaitOff echoes lines until it reads the word of fake.off. Then it prints a line and powers off.
func (f *fake) awaitOff(in io.Reader, out io.Writer) {
	for lines := bufio.NewScanner(keys{in}); lines.Scan(); {
		fmt.Fprintf(out, "%s\r\n", lines.Text())
		if lines.Text() == f.words["fake.off"] {
			fmt.Fprint(out, "good bye\r\n")
			f.end(true, "guest-shutdown")
		}
	}
}

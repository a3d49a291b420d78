package consoletest

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// mostTyped is how many of the last command lines WithoutTyping looks for.
const mostTyped = 50

// typeLine types a command line of run-test, whose echo is left out of a report.
func (c *Console) typeLine(line string) error {
	c.mu.Lock()
	if !slices.Contains(c.typed, line) {
		c.typed = append(c.typed, line)
		c.typed = c.typed[max(0, len(c.typed)-mostTyped):]
	}
	c.mu.Unlock()
	return c.Send(line + "\n")
}

// marker matches a line that a command line of run-test has made the guest print around the
// output.
var marker = regexp.MustCompile(`^(<[0-9]+>|<[0-9]+:[0-9]{1,3}>|` + linesBegin + `|` + linesEnd + `|` + messagesEnd + `)`)

// WithoutTyping returns the last lines of a device without what run-test itself has added to
// them: the echo of its command lines, the marks around outputs, and all but the first and the
// last of the numbered lines. Everything else that the guest has printed is still there.
func (s *Suite) WithoutTyping(device string, lines []string) []string {
	text := strings.Join(lines, "\n")
	for _, console := range s.consoles {
		if console.Device == device {
			text = console.withoutEcho(text)
		}
	}
	var left []string
	for line := range strings.SplitSeq(text, "\n") {
		rest := strings.ReplaceAll(marker.ReplaceAllString(strings.ReplaceAll(line, erased, ""), ""), "\r", "")
		if rest != strings.TrimRight(line, "\r") && strings.Trim(rest, " #$") == "" {
			continue // only a prompt is left of it
		}
		left = append(left, strings.ReplaceAll(marker.ReplaceAllString(line, ""), erased, ""))
	}
	return withoutNumbers(left)
}

// erased replaces an echo until the lines that are empty without it are known.
const erased = "\x00"

// withoutEcho replaces each echo of a typed line with erased. A shell that edits its line may
// break the echo at the terminal's width, and move the cursor. The kernel may print within the
// echo: its lines are kept.
func (c *Console) withoutEcho(text string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, line := range c.typed {
		var pattern strings.Builder
		for i, char := range line {
			if i > 0 {
				pattern.WriteString(`(?:[\r\n]|.\x08|\x1b\[[0-9;?]*[A-Za-z]|` + kernelLine.String() + `)*`)
			}
			pattern.WriteString(regexp.QuoteMeta(string(char)))
		}
		text = regexp.MustCompile(pattern.String()).ReplaceAllStringFunc(text, func(echo string) string {
			return strings.Join(kernelLine.FindAllString(echo, -1), "") + erased
		})
	}
	return text
}

// withoutNumbers returns lines with "…" for the inner ones of a run of consecutive numbers.
func withoutNumbers(lines []string) []string {
	var left []string
	for i, line := range lines {
		switch {
		case i == 0 || i == len(lines)-1 || !follows(lines[i-1], line) || !follows(line, lines[i+1]):
			left = append(left, line)
		case left[len(left)-1] != "…":
			left = append(left, "…")
		}
	}
	return left
}

// follows reports whether two lines are consecutive numbers.
func follows(line, next string) bool {
	n, err := strconv.Atoi(strings.TrimRight(line, "\r"))
	m, err2 := strconv.Atoi(strings.TrimRight(next, "\r"))
	return err == nil && err2 == nil && m == n+1
}

package guest

import (
	"bytes"
	"fmt"
	"regexp"

	"microvm-console/internal/kevent"
)

var (
	// loginLine matches the prompt of a getty, or its line for an automatic login. A message
	// of the kernel may follow on the same line.
	loginLine = regexp.MustCompile(`^(?:\x1b\[[0-9;?]*[A-Za-z])*(?:\S{1,64} )?login: `)
	// killedLine matches the headline that Linux prints when it kills a process for lack of
	// memory (mm/oom_kill.c). The name of a process has at most 15 bytes of any value
	// (PR_SET_NAME in prctl(2)).
	killedLine = regexp.MustCompile(`^(?:Out of memory|Memory cgroup out of memory): Killed process (\d{1,10}) \(([^\x00-\x1f\x7f]{1,15}?)\)(?:[, ]|$)`)
)

// IsPrompt reports whether a line of output, which may be incomplete, is the prompt of a getty, or
// its line for an automatic login.
func IsPrompt(line []byte) bool { return loginLine.Match(line) }

// maxLine is how much of a line is examined, in bytes.
const maxLine = 4 << 10

// lines finds the lines of a console's output that show the guest's state.
type lines struct {
	rest []byte // an incomplete line
}

// feed processes the next output. It reports whether it had a login prompt, and returns a
// sentence for each process that the kernel has killed.
func (l *lines) feed(data []byte) (login bool, killed []string) {
	for {
		end := bytes.IndexAny(data, "\r\n")
		if end < 0 {
			l.rest = append(l.rest, data[:min(len(data), maxLine)]...)
			l.rest = l.rest[:min(len(l.rest), maxLine)]
			return login || IsPrompt(l.rest), killed
		}
		line := append(l.rest, data[:min(end, maxLine)]...)
		login = login || IsPrompt(line)
		if sentence := killedBy(line); sentence != "" {
			killed = append(killed, sentence)
		}
		l.rest, data = l.rest[:0], data[end+1:]
	}
}

// killedBy returns a sentence if the line says that the kernel has killed a process; else "".
func killedBy(line []byte) string {
	if !bytes.Contains(line, []byte("Killed process")) {
		return ""
	}
	kind, headline := kevent.Headline(line)
	match := killedLine.FindStringSubmatch(headline)
	if kind != kevent.OOM || match == nil {
		return ""
	}
	return fmt.Sprintf("the guest is out of memory: its kernel has killed process %s (%s)", match[1], match[2])
}

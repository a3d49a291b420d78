package guest

import (
	"bytes"
	"fmt"
	"regexp"
)

var (
	// loginLine is a getty's question, or what follows if it needs no answer. The kernel
	// may print behind it.
	loginLine = regexp.MustCompile(`^(?:\x1b\[[0-9;?]*[A-Za-z])*(?:\S{1,64} )?login: `)
	// killedLine is what a Linux kernel prints when it kills a process for want of
	// memory (mm/oom_kill.c). A process's name has at most 15 bytes (prctl(2),
	// PR_SET_NAME), of whatever value.
	killedLine = regexp.MustCompile(`^(?:\[[ 0-9.T]+\] ?)*(?:Out of memory|Memory cgroup out of memory): Killed process (\d{1,10}) \(([^\x00-\x1f\x7f]{1,15}?)\)(?:[, ]|$)`)
)

// maxLine is how much of a line without an end is looked at, in bytes.
const maxLine = 4 << 10

// lines finds, in what a console prints, the lines about the guest's state.
type lines struct {
	rest []byte // the line that has no end yet
}

// feed reads on in the console's text. It reports whether a login was there, and returns
// a sentence for each process that the kernel has killed.
func (l *lines) feed(data []byte) (login bool, killed []string) {
	for {
		end := bytes.IndexAny(data, "\r\n")
		if end < 0 {
			l.rest = append(l.rest, data[:min(len(data), maxLine)]...)
			l.rest = l.rest[:min(len(l.rest), maxLine)]
			return login || loginLine.Match(l.rest), killed
		}
		line := append(l.rest, data[:min(end, maxLine)]...)
		login = login || loginLine.Match(line)
		if match := killedLine.FindSubmatch(line); match != nil {
			killed = append(killed, fmt.Sprintf("the guest is out of memory: its kernel has killed process %s (%s)", match[1], match[2]))
		}
		l.rest, data = l.rest[:0], data[end+1:]
	}
}

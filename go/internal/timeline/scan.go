package timeline

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"time"

	"microvm-console/internal/guest"
	"microvm-console/internal/journal"
)

// The lines of the milestones of a boot, as Linux prints them: init/version-timestamp.c and
// init/main.c.
var (
	kernelLine = regexp.MustCompile(`(?:^|\] )Linux version \d`)
	initLine   = regexp.MustCompile(`Run /\S{1,200} as init process`)
)

// maxLine is how much of a line is examined, in bytes.
const maxLine = 4 << 10

// milestones are the milestones of a boot on any console. A zero time is unknown.
type milestones struct {
	first, kernel, init time.Time // of the first byte or line
	firstOn             string    // the console of the first byte
	logins              []Mark    // at most one for each console
	ready               Mark      // by the journal; its text is what has shown it
	restarts            []Mark
}

// marks returns the milestones for a picture.
func (m *milestones) marks() []Mark {
	marks := []Mark{{m.first, "first byte on " + m.firstOn}, {m.kernel, "kernel"}, {m.init, "init"}}
	slices.SortStableFunc(m.logins, func(one, other Mark) int { return one.Time.Compare(other.Time) })
	if len(m.logins) > 0 && strings.HasPrefix(m.ready.Text, "login") {
		m.logins[0].Text = "ready: " + m.logins[0].Text
	} else {
		marks = append(marks, Mark{m.ready.Time, "ready: " + m.ready.Text})
	}
	marks = slices.Concat(marks, m.logins, m.restarts)
	return slices.DeleteFunc(marks, func(mark Mark) bool { return mark.Time.IsZero() })
}

// scanner finds the milestones in the output of one console.
type scanner struct {
	found   *milestones
	console string
	times   journal.Times
	offset  int64  // of the next byte
	begin   int64  // of line
	line    []byte // the first maxLine bytes of the line that has not ended
	started bool   // a byte was printed
	login   bool   // a prompt was found
}

// printed processes the next output.
func (s *scanner) printed(data []byte) {
	if !s.started && len(data) > 0 {
		s.started = true
		if earlier(&s.found.first, s.times.At(s.offset)) {
			s.found.firstOn = s.console
		}
	}
	for len(data) > 0 {
		if len(s.line) == 0 {
			s.begin = s.offset
		}
		piece, rest, ended := bytes.Cut(data, []byte("\n"))
		s.line = append(s.line, piece[:min(len(piece), maxLine-len(s.line))]...)
		s.offset += int64(len(data) - len(rest))
		data = rest
		if ended {
			s.end()
		}
	}
}

// skip processes n bytes that are missing.
func (s *scanner) skip(n int64) {
	s.end()
	s.offset += n
}

// end examines the line, which has ended.
func (s *scanner) end() {
	line := bytes.TrimLeft(s.line, "\r")
	at := s.times.At(s.begin)
	switch {
	case kernelLine.Match(line):
		earlier(&s.found.kernel, at)
	case initLine.Match(line):
		earlier(&s.found.init, at)
	case !s.login && guest.IsPrompt(line):
		s.login = true
		s.found.logins = append(s.found.logins, Mark{at, "login on " + s.console})
	}
	s.line = s.line[:0]
}

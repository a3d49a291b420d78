package consoletest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"microvm-console/internal/dialog"
)

// Expect waits until pattern matches what was read since the last match, and returns the
// match and its groups. The next Expect begins after the match. Kernel messages are ignored:
// the kernel prints them at any time, even in the middle of another line. The error is
// that of watch; what names the text that was expected.
func (c *Console) Expect(ctx context.Context, what string, pattern *regexp.Regexp) ([]string, error) {
	_, match, err := c.await(ctx, pattern)
	if err != nil {
		err = c.partly(c.at, failed("no "+what, err, c.lastOutput()))
	}
	return match, err
}

// await is Expect that returns what precedes the match too, and the bare cause as its error.
func (c *Console) await(ctx context.Context, pattern *regexp.Regexp) (before string, match []string, err error) {
	search := newSearch(pattern, c.at, answers)
	err = c.watch(ctx, c.at, func(text []byte, end int) bool {
		if !search.found(text, end) {
			return false
		}
		left, original := withoutKernelLines(text)
		at := pattern.FindSubmatchIndex(left)
		for i := 0; i < len(at); i += 2 {
			match = append(match, string(left[max(at[i], 0):max(at[i+1], 0)]))
		}
		before = string(left[:at[0]])
		c.at = end - len(text) + original(at[1])
		return true
	})
	return before, match, err
}

// Find waits until pattern matches what was read from the byte from on, with line ends as
// "\n", with or without the lines of the kernel. Unlike Expect it does not change where the
// next Expect begins. The error is that of watch; what names the text that was expected.
func (c *Console) Find(ctx context.Context, what string, from int, pattern *regexp.Regexp) error {
	err := c.watch(ctx, from, newSearch(pattern, from, prints).found)
	if err != nil {
		return c.partly(from, failed(fmt.Sprintf("no %s on %s", what, c.Device), err, c.lastOutput()))
	}
	return nil
}

// answers reports whether pattern matches text without the lines of the kernel.
func answers(pattern *regexp.Regexp, text []byte) bool {
	left, _ := withoutKernelLines(text)
	return pattern.Match(left)
}

// prints reports whether pattern matches text, with or without the lines of the kernel. Its line ends are
// "\n" then.
func prints(pattern *regexp.Regexp, text []byte) bool {
	text = dialog.PlainEnds(text)
	return pattern.Match(text) || answers(pattern, text)
}

// search is a search in output that grows. If no match can have a line end, it searches each line once.
type search struct {
	pattern    *regexp.Regexp
	matches    func(pattern *regexp.Regexp, text []byte) bool // answers or prints
	withinLine bool
	from       int // the position of the first byte that may be in a match
}

func newSearch(pattern *regexp.Regexp, from int, matches func(*regexp.Regexp, []byte) bool) *search {
	return &search{pattern, matches, dialog.WithinLine(pattern), from}
}

// found reports whether text, whose end has the given position, has a match. It searches only what may
// have one.
func (s *search) found(text []byte, end int) bool {
	part := since(text, end, s.from)
	if s.matches(s.pattern, part) {
		return true
	}
	if s.withinLine {
		s.from = end - len(part) + lastLineEnd(part)
	}
	return false
}

// since returns the part of text, whose end has the position end, from the position from on.
func since(text []byte, end, from int) []byte { return text[max(0, len(text)-(end-from)):] }

// lastLineEnd returns the position of the line end before the last line of text that is not the
// kernel's, in the middle of which the kernel may have printed lines; 0 if text begins with that line.
func lastLineEnd(text []byte) int {
	left, original := withoutKernelLines(text)
	begin := bytes.LastIndexByte(left, '\n') + 1
	return max(0, original(begin+1)-2)
}

// errClosed is returned once the connection is closed.
var errClosed = errors.New("connection closed")

// watch calls enough with all that is kept from the byte from on, and the position of its end, and
// again whenever there is more, until enough returns true. When ctx ends with ErrEnded, watch waits
// for the last bytes until the connection is closed, at most for endLimit. The error is that of
// whyClosed, or the cause of ctx.
func (c *Console) watch(ctx context.Context, from int, enough func(text []byte, end int) bool) error {
	done := ctx.Done()
	var late <-chan time.Time
	for {
		c.mu.Lock()
		text, end, more, ended := c.output.from(from), c.output.end(), c.more, c.ended != nil
		c.mu.Unlock()
		switch {
		case enough(text, end):
			return nil
		case ended:
			return whyClosed(ctx)
		}
		select {
		case <-more:
			continue
		case <-done:
			if errors.Is(context.Cause(ctx), ErrEnded) {
				done, late = nil, time.After(endLimit)
				continue
			}
		case <-late:
		}
		return context.Cause(ctx)
	}
}

// endLimit is how long a check waits for ctx to end once a connection is closed: the cause of ctx
// says why the machine has ended.
const endLimit = 5 * time.Second

// whyClosed returns the cause of ctx, or errClosed if ctx does not end within endLimit.
func whyClosed(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(endLimit):
		return errClosed
	}
}

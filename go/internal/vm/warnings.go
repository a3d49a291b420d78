package vm

import (
	"bytes"
	"fmt"
	"path/filepath"
	"sync"

	"microvm-console/internal/plaintext"
)

const (
	// maxWarnings is how many lines of a program's standard error are noted.
	maxWarnings = 20
	// maxWarning is the maximum length of such a line, in bytes. Longer ones are cut.
	maxWarning = 512
)

// warnings splits the standard error of QEMU, or of another program, into lines, and passes on each
// different line once. Write never blocks, so that the program does not block either.
type warnings struct {
	program string      // the program's name, which is the prefix of its lines
	lines   chan string // with room for every line that is sent

	mu   sync.Mutex // a process that the program has started may write after its end
	rest []byte     // an incomplete line, at most maxWarning bytes
	seen map[string]bool
}

// newWarnings returns the warnings of a program with the path program.
func newWarnings(program string) *warnings {
	return &warnings{
		program: filepath.Base(program),
		lines:   make(chan string, maxWarnings+1), // and one about the omitted lines
		seen:    map[string]bool{},
	}
}

func (w *warnings) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(data)
	for {
		line, after, ended := bytes.Cut(data, []byte("\n"))
		w.rest = append(w.rest, line[:min(len(line), maxWarning-len(w.rest))]...)
		if !ended {
			return n, nil
		}
		w.take()
		data = after
	}
}

// finish processes the last line, which may have no newline.
func (w *warnings) finish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.take()
}

// take passes on the line in w.rest unless it was seen before. The caller holds w.mu.
func (w *warnings) take() {
	text := bytes.TrimPrefix(bytes.TrimSpace(w.rest), []byte(w.program+": "))
	line := plaintext.Line(string(text))
	w.rest = w.rest[:0]
	if line == "" || len(w.seen) > maxWarnings || w.seen[line] {
		return
	}
	w.seen[line] = true
	if len(w.seen) > maxWarnings {
		line = fmt.Sprintf("more than %d different lines; the others are not shown", maxWarnings)
	}
	w.lines <- line
}

// pass calls note with each line, until the program has ended.
func (w *warnings) pass(ended <-chan struct{}, note func(text string)) {
	for {
		select {
		case line := <-w.lines:
			note(line)
		case <-ended:
			w.finish()
			for len(w.lines) > 0 {
				note(<-w.lines)
			}
			return
		}
	}
}

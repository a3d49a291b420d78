package vm

import (
	"bytes"
	"fmt"
	"path/filepath"
	"sync"

	"microvm-console/internal/plaintext"
)

const (
	// maxWarnings is how many lines of QEMU's standard error are noted.
	maxWarnings = 20
	// maxWarning is how much of each is kept, in bytes.
	maxWarning = 512
)

// warnings finds the lines in what QEMU writes to its standard error, and passes
// each different one on once. A Write never waits, so that QEMU does not.
type warnings struct {
	program string      // QEMU's name, with which it begins its lines
	lines   chan string // with room for all that is ever sent

	mu   sync.Mutex // a process that QEMU has started may write after its end
	rest []byte     // of the line that has no end yet, at most maxWarning bytes
	seen map[string]bool
}

// newWarnings returns the warnings of a QEMU that is started as program.
func newWarnings(program string) *warnings {
	return &warnings{
		program: filepath.Base(program),
		lines:   make(chan string, maxWarnings+1), // and a last one about the others
		seen:    map[string]bool{},
	}
}

func (w *warnings) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(data)
	for {
		line, behind, ended := bytes.Cut(data, []byte("\n"))
		w.rest = append(w.rest, line[:min(len(line), maxWarning-len(w.rest))]...)
		if !ended {
			return n, nil
		}
		w.take()
		data = behind
	}
}

// finish takes the last line, which has no end.
func (w *warnings) finish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.take()
}

// take passes the line on, if it is a new one. The caller holds w.mu.
func (w *warnings) take() {
	text := bytes.TrimPrefix(bytes.TrimSpace(w.rest), []byte(w.program+": "))
	line := plaintext.Line(string(text))
	w.rest = w.rest[:0]
	if line == "" || len(w.seen) > maxWarnings || w.seen[line] {
		return
	}
	w.seen[line] = true
	if len(w.seen) > maxWarnings {
		line = fmt.Sprintf("and more lines than these %d, which are not shown", maxWarnings)
	}
	w.lines <- line
}

// pass calls note with each line that QEMU writes to its standard error, until QEMU has
// ended.
func (w *warnings) pass(ended <-chan struct{}, note func(text string)) {
	for {
		select {
		case line := <-w.lines:
			note("qemu: " + line)
		case <-ended:
			w.finish()
			for len(w.lines) > 0 {
				note("qemu: " + <-w.lines)
			}
			return
		}
	}
}

package vm

import (
	"strings"

	"microvm-console/internal/state"
)

// lastLines splits the last n lines off text.
func lastLines(text []byte, n int) []string {
	lines := strings.Split(strings.ReplaceAll(strings.TrimRight(string(text), "\r\n"), "\r", ""), "\n")
	return lines[max(0, len(lines)-n):]
}

// Tail is what a console printed last.
type Tail struct {
	Console state.Console
	Bytes   int64    // printed in all
	Lines   []string // the last ones, without their ends
}

// Tails returns the last n lines of each console, with all that it has printed by now.
// Call it when Ready is closed or Run has returned.
func (v *VM) Tails(n int) []Tail {
	var tails []Tail
	for i, tap := range v.taps {
		tap.settle()
		text, total := tap.tail()
		tails = append(tails, Tail{v.Status().Consoles[i], total, lastLines(text, n)})
	}
	return tails
}

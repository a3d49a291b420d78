package vm

import (
	"microvm-console/internal/state"
)

// Tail is what a console printed last.
type Tail struct {
	Console state.Console
	Bytes   int64    // printed in all
	Lines   []string // the last ones, without their ends
}

// Tails returns the last n lines of each console, with all that it has printed by now.
// Call it when Ready is closed or Run has returned.
func (v *VM) Tails(n int) []Tail {
	v.awaitRead()
	var tails []Tail
	for i := range v.qemu.taps {
		lines, total := v.guest.Tail(i, n)
		tails = append(tails, Tail{v.Status().Consoles[i], total, lines})
	}
	return tails
}

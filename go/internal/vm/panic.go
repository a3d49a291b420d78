package vm

import (
	"bytes"
	"regexp"
	"time"
)

var (
	// panicLine is what a Linux kernel prints first when it panics.
	panicLine = regexp.MustCompile(`(?m)^(?:\[[ 0-9.T]+\] ?)*(Kernel panic - not syncing[^\r\n]*)`)
	// panicEnd is the last thing that it prints if it does not restart.
	panicEnd = []byte("---[ end Kernel panic")
	// restartLine follows where a kernel restarts because it was asked to.
	restartLine = []byte("reboot: ")
	// bootLine is the first thing of the next boot.
	bootLine = []byte("Linux version ")
)

// panicQuiet is how long a console is silent behind panicEnd before the guest is
// taken for dead.
const panicQuiet = 2 * time.Second

// settle waits until what the consoles have printed by now has been read.
func (v *VM) settle() {
	for _, tap := range v.taps {
		tap.settle()
	}
}

// findPanic looks for a panic at the end of what the consoles printed. If
// still, the panic's last line must be the last thing there.
func (v *VM) findPanic(still bool) *GuestError {
	for _, tap := range v.taps {
		text, _ := tap.tail()
		if found := panicIn(text, still); found != nil {
			found.Device = tap.console.Device
			return found
		}
	}
	return nil
}

// panicIn finds the last panic in text, unless the kernel was asked to restart
// since.
func panicIn(text []byte, still bool) *GuestError {
	all := panicLine.FindAllSubmatchIndex(text, -1)
	if len(all) == 0 {
		return nil
	}
	last := all[len(all)-1]
	behind := text[last[2]:]
	if bytes.Contains(behind, restartLine) {
		return nil
	}
	if still && !endsWithPanic(behind) {
		return nil
	}
	end := len(text)
	if next := bytes.Index(behind, bootLine); next >= 0 {
		end = last[2] + bytes.LastIndexByte(behind[:next], '\n') + 1
	}
	message := string(text[last[2]:last[3]])
	return &GuestError{Fate: panicSays(message), Message: message, Lines: lastLines(text[:end], fateLines)}
}

// endsWithPanic tells whether the last line of text is a panic's last one.
func endsWithPanic(text []byte) bool {
	text = bytes.TrimRight(text, "\r\n")
	return bytes.Contains(text[bytes.LastIndexByte(text, '\n')+1:], panicEnd)
}

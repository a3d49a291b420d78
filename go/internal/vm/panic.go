package vm

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/plaintext"
)

// PanicError tells that the guest's kernel panicked.
type PanicError struct {
	Message string // the kernel's line: "Kernel panic - not syncing: …"
	Device  string // the console that showed it, "" where none did
	// Lines are the last lines of that console, without their ends.
	Lines []string
}

func (e *PanicError) Error() string { return "guest panicked: " + e.Message }

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

const (
	// panicQuiet is how long a console is silent behind panicEnd before the
	// guest is taken for dead.
	panicQuiet = 2 * time.Second
	// panicLines is how many last lines a PanicError carries.
	panicLines = 40
)

// judge decides whether the guest has panicked, and ends QEMU if so. It lives
// as long as QEMU. Three things tell of a panic: QEMU's event, which needs a
// driver in the guest; a restart right behind the kernel's panic line; and
// that line's end with nothing behind it. The text alone is no proof: anybody
// can print it.
func (v *VM) judge() {
	quiet := time.NewTimer(panicQuiet)
	defer quiet.Stop()
	for {
		select {
		case <-v.qemu.Done():
			return
		case <-v.spoke:
			quiet.Reset(panicQuiet)
			continue
		case <-v.restarted:
			v.settle()
			if found := v.findPanic(false); found != nil {
				v.condemn(found)
			}
		case <-v.panicked:
			v.settle()
			found := v.findPanic(false)
			if found == nil {
				found = &PanicError{Message: "QEMU's panic device says so; no console shows the kernel's words"}
			}
			v.condemn(found)
		case <-quiet.C:
			if found := v.findPanic(true); found != nil {
				v.condemn(found)
			}
		}
	}
}

// condemn records the panic and ends QEMU.
func (v *VM) condemn(found *PanicError) {
	v.mu.Lock()
	if v.panic == nil {
		v.panic = found
	}
	v.mu.Unlock()
	quit := stage{"quit", v.command("quit"), askLimit, false}
	if v.attempt(context.Background(), quit).Result != worked {
		v.qemu.Kill()
	}
}

// settle waits until what the consoles have printed by now has been read.
func (v *VM) settle() {
	for _, tap := range v.taps {
		tap.settle()
	}
}

// findPanic looks for a panic at the end of what the consoles printed. If
// still, the panic's last line must be the last thing there.
func (v *VM) findPanic(still bool) *PanicError {
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
func panicIn(text []byte, still bool) *PanicError {
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
	return &PanicError{Message: string(text[last[2]:last[3]]), Lines: lastLines(text[:end], panicLines)}
}

// endsWithPanic tells whether the last line of text is a panic's last one.
func endsWithPanic(text []byte) bool {
	text = bytes.TrimRight(text, "\r\n")
	return bytes.Contains(text[bytes.LastIndexByte(text, '\n')+1:], panicEnd)
}

// lastLines splits the last n lines off text.
func lastLines(text []byte, n int) []string {
	lines := strings.Split(strings.ReplaceAll(strings.TrimRight(string(text), "\r\n"), "\r", ""), "\n")
	return lines[max(0, len(lines)-n):]
}

// Tail is what a console printed last.
type Tail struct {
	Console ctl.Console
	Bytes   int64    // printed in all
	Lines   []string // the last ones, without their ends
}

// Tails returns the last n lines of each console. Call it when Ready is closed or
// Run has returned.
func (v *VM) Tails(n int) []Tail {
	var tails []Tail
	for i, tap := range v.taps {
		text, total := tap.tail()
		tails = append(tails, Tail{v.Status().Consoles[i], total, lastLines(text, n)})
	}
	return tails
}

// Show writes the console's last lines.
func (e *PanicError) Show(w io.Writer) {
	if len(e.Lines) == 0 {
		return
	}
	fmt.Fprintf(w, "--- the last lines of %s\n", e.Device)
	for _, line := range e.Lines {
		fmt.Fprintln(w, plaintext.Line(line))
	}
	fmt.Fprintln(w, "---")
}

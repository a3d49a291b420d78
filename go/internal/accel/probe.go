package accel

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"microvm-console/internal/process"
)

// limits are how long a kernel may take to its first line.
type limits struct {
	processor time.Duration // that QEMU has used
	all       time.Duration // for a QEMU that uses none
}

// probeLimits are those of a kernel under KVM, of which a working one takes a tenth of a
// second. On a busy host QEMU waits for a processor for longer than it uses one.
var probeLimits = limits{processor: 3 * time.Second, all: 30 * time.Second}

// lookEvery is how often the processor time is looked at.
const lookEvery = 50 * time.Millisecond

// verdict is what a probe found.
type verdict struct {
	Works   bool   `json:"works"`
	Trouble string `json:"trouble"` // why it does not work
}

// probe runs argv until its kernel speaks, it ends, or one of the limits is reached. The
// error is that of a probe which could not be made.
func probe(ctx context.Context, argv []string, most limits) (verdict, error) {
	banner := &watch{want: []byte("Linux version"), seen: make(chan struct{})}
	qemu, err := process.Start(process.Command{Argv: argv, Stdout: banner})
	if err != nil {
		return verdict{}, err
	}
	defer qemu.Kill()
	trouble, err := await(ctx, qemu, banner, most)
	select {
	case <-banner.seen: // perhaps its last words
		return verdict{Works: true}, nil
	default:
		return verdict{Trouble: trouble}, err
	}
}

// await waits for the kernel's line, and returns why it does not come.
func await(ctx context.Context, qemu *process.Process, banner *watch, most limits) (trouble string, err error) {
	limit := time.NewTimer(most.all)
	defer limit.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-banner.seen:
			return "", nil
		case <-qemu.Done():
			return fmt.Sprintf("QEMU ended with status %d", qemu.Exit()), nil
		case <-limit.C:
			return fmt.Sprintf("no kernel line within %v", most.all), nil
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-look.C:
			// One that has just ended has no time any more: Done comes.
			if used, err := qemu.ProcessorTime(); err == nil && used >= most.processor {
				return fmt.Sprintf("no kernel line within %v of processor time", most.processor), nil
			}
		}
	}
}

// watch closes seen when want has been written to it.
type watch struct {
	want []byte
	seen chan struct{}

	mu    sync.Mutex
	found bool
	held  []byte
}

func (w *watch) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = append(w.held, data...)
	if !w.found && bytes.Contains(w.held, w.want) {
		w.found = true
		close(w.seen)
	}
	if keep := len(w.want) - 1; len(w.held) > keep {
		w.held = bytes.Clone(w.held[len(w.held)-keep:])
	}
	return len(data), nil
}

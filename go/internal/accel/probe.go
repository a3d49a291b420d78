package accel

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"microvm-console/internal/process"
)

// limits bound the time until a kernel prints its first line.
type limits struct {
	processor time.Duration // processor time that QEMU may use
	elapsed   time.Duration // for a QEMU that uses no processor time
}

// probeLimits are the limits for a kernel under KVM. A working one takes a tenth of a second.
// On a busy host QEMU waits for a processor for longer than it uses one.
var probeLimits = limits{processor: 3 * time.Second, elapsed: 30 * time.Second}

// pollInterval is how often the processor time is checked.
const pollInterval = 50 * time.Millisecond

// result is the result of a probe.
type result struct {
	Works   bool   `json:"works"`
	Trouble string `json:"trouble"` // why it does not work
}

// probe runs argv until its kernel prints "Linux version", QEMU ends, or a limit is reached,
// and kills QEMU. It returns an error if the probe could not be made.
func probe(ctx context.Context, argv []string, limit limits) (result, error) {
	banner := &watch{want: []byte("Linux version"), seen: make(chan struct{})}
	qemu, err := process.Start(process.Command{Argv: argv, Stdout: banner})
	if err != nil {
		return result{}, err
	}
	defer qemu.Kill()
	trouble, err := await(ctx, qemu, banner, limit)
	select {
	case <-banner.seen: // even if QEMU has ended since
		return result{Works: true}, nil
	default:
		return result{Trouble: trouble}, err
	}
}

// await waits for the banner. It returns why the banner has not come.
func await(ctx context.Context, qemu *process.Process, banner *watch, limit limits) (trouble string, err error) {
	elapsed := time.NewTimer(limit.elapsed)
	defer elapsed.Stop()
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		select {
		case <-banner.seen:
			return "", nil
		case <-qemu.Done():
			return fmt.Sprintf("QEMU ended with status %d", qemu.Exit()), nil
		case <-elapsed.C:
			return fmt.Sprintf("no kernel line within %v", limit.elapsed), nil
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-poll.C:
			// A process that has just ended gives an error here; Done follows.
			if used, err := qemu.ProcessorTime(); err == nil && used >= limit.processor {
				return fmt.Sprintf("no kernel line within %v of processor time", limit.processor), nil
			}
		}
	}
}

// watch is a writer that closes seen once want has been written to it.
type watch struct {
	want []byte
	seen chan struct{}

	mu    sync.Mutex
	found bool
	held  []byte // the end of what was written, shorter than want
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

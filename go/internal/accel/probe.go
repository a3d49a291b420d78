package accel

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"microvm-console/internal/process"
)

// probeLimit is how long a kernel under KVM may take to its first line; a
// working one takes a tenth of a second.
const probeLimit = 5 * time.Second

// verdict is what a probe found.
type verdict struct {
	Works   bool   `json:"works"`
	Trouble string `json:"trouble"` // why it does not work
}

// probe runs argv until its kernel speaks, it ends, or most has passed. The
// error is that of a probe which could not be made.
func probe(ctx context.Context, argv []string, most time.Duration) (verdict, error) {
	banner := &watch{want: []byte("Linux version"), seen: make(chan struct{})}
	qemu, err := process.Start(process.Command{Argv: argv, Stdout: banner})
	if err != nil {
		return verdict{}, err
	}
	defer qemu.Kill()
	limit := time.NewTimer(most)
	defer limit.Stop()
	select {
	case <-banner.seen:
		return verdict{Works: true}, nil
	case <-qemu.Done():
	case <-limit.C:
		return verdict{Trouble: fmt.Sprintf("no kernel line within %v", most)}, nil
	case <-ctx.Done():
		return verdict{}, context.Cause(ctx)
	}
	select {
	case <-banner.seen: // its last words
		return verdict{Works: true}, nil
	default:
		return verdict{Trouble: fmt.Sprintf("QEMU ended with status %d", qemu.Exit())}, nil
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

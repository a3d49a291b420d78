package relay

import (
	"context"
	"sync"
)

// presence is whether a VM is attached.
type presence struct {
	mu   sync.Mutex
	vm   context.Context // ends when the VM goes; nil: none is attached
	gone context.CancelFunc
	came chan struct{} // closed when one is attached
}

func newPresence() *presence { return &presence{came: make(chan struct{})} }

// set reports whether that changes anything.
func (p *presence) set(attached bool) (changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case attached == (p.vm != nil):
		return false
	case attached:
		p.vm, p.gone = context.WithCancel(context.Background())
		close(p.came)
	default:
		p.gone()
		p.vm, p.came = nil, make(chan struct{})
	}
	return true
}

func (p *presence) attached() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.vm != nil
}

// AwaitVM waits until a machine is attached, and returns a context that ends when it goes.
// It returns nil if ctx ends first.
func (r *Relay) AwaitVM(ctx context.Context) context.Context {
	for {
		r.vm.mu.Lock()
		vm, came := r.vm.vm, r.vm.came
		r.vm.mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return nil
		case vm != nil:
			return vm
		}
		select {
		case <-came:
		case <-ctx.Done():
		}
	}
}

package server

import (
	"fmt"
	"slices"
	"sync"
)

// processesMost is how many commands may run, or have ended without anybody
// asking.
const processesMost = 64

// table holds the commands of a server. The zero value is ready.
type table struct {
	budget budget
	mu     sync.Mutex
	all    []*process // the oldest first
}

// add starts a process and takes it in. Where there are too many, the oldest
// that has ended is forgotten; where none has, it is an error.
func (t *table) add(p *process, start func() error, pid func() int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.all) >= processesMost {
		ended := slices.IndexFunc(t.all, (*process).ended)
		if ended < 0 {
			return fmt.Errorf("%d commands run already", len(t.all))
		}
		t.remove(ended)
	}
	if err := start(); err != nil {
		return err
	}
	p.pid = pid()
	// A number that is used again is that of the new one.
	if old := t.index(p.pid); old >= 0 {
		t.remove(old)
	}
	t.all = append(t.all, p)
	return nil
}

// get finds the process of a number.
func (t *table) get(pid int) (*process, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := t.index(pid)
	if at < 0 {
		return nil, fmt.Errorf("PID %d does not exist", pid)
	}
	return t.all[at], nil
}

// forget drops a process, if it is there.
func (t *table) forget(p *process) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at := slices.Index(t.all, p); at >= 0 {
		t.remove(at)
	}
}

func (t *table) index(pid int) int {
	return slices.IndexFunc(t.all, func(p *process) bool { return p.pid == pid })
}

// remove drops the process at an index, and what it has printed.
func (t *table) remove(at int) {
	p := t.all[at]
	for _, k := range []*kept{p.out, p.err} {
		if k != nil {
			k.release()
		}
	}
	for _, f := range p.flows {
		f.close()
	}
	t.all = slices.Delete(t.all, at, at+1)
}

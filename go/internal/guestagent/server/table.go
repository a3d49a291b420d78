package server

import (
	"fmt"
	"slices"
	"sync"
)

// maxProcesses is the maximum number of commands that run, or have ended and were not forgotten.
const maxProcesses = 64

// table holds the commands of a server. The zero value is ready to use.
type table struct {
	budget budget
	mu     sync.Mutex
	all    []*process // oldest first
}

// add starts a process and adds it. If there are maxProcesses, it forgets the oldest one that has
// ended; if none has, it returns an error.
func (t *table) add(p *process, start func() error, pid func() int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.all) >= maxProcesses {
		ended := slices.IndexFunc(t.all, (*process).ended)
		if ended < 0 {
			return fmt.Errorf("too many commands: %d are running", len(t.all))
		}
		t.remove(ended)
	}
	if err := start(); err != nil {
		return err
	}
	p.pid = pid()
	// The kernel has reused the process id of a command that has ended.
	if old := t.index(p.pid); old >= 0 {
		t.remove(old)
	}
	t.all = append(t.all, p)
	return nil
}

// get returns the process with a process id.
func (t *table) get(pid int) (*process, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := t.index(pid)
	if at < 0 {
		return nil, fmt.Errorf("PID %d does not exist", pid)
	}
	return t.all[at], nil
}

// forget removes a process, if it is in the table.
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

// remove removes the process at an index, and its output.
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

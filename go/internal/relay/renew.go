package relay

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"

	"github.com/hashicorp/go-multierror"
	"golang.org/x/sys/unix"
)

// Renew makes the public FIFOs again whose names somebody has removed. Who has an
// old one open goes on with it. While a QEMU that was started by hand sits on the
// pair nothing is made: it would lose its ends.
func (r *Relay) Renew() error {
	r.renewing.Lock()
	defer r.renewing.Unlock()
	in, out := r.named()
	if in != nil && held(in.file) || out != nil && held(out.conn()) {
		return nil
	}
	var errs *multierror.Error
	if in != nil && gone(r.config.In) {
		errs = multierror.Append(errs, r.renewIn(in))
	}
	if out != nil && gone(r.config.Out) {
		errs = multierror.Append(errs, r.renewOut(out))
	}
	return errs.ErrorOrNil()
}

// named are the public FIFOs that have, or had, their names; nil: there is none.
func (r *Relay) named() (in *inFIFO, out *watched) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ins) > 0 && r.config.In != "" {
		in = r.ins[len(r.ins)-1]
	}
	for _, door := range r.doors {
		if door.kind() == outKind {
			out = door
		}
	}
	return in, out
}

// renewIn makes the FIFO to the guest again. The old one is read until the last
// one who writes there has gone.
func (r *Relay) renewIn(old *inFIFO) error {
	fresh, err := newInFIFO(r.config.In)
	if err != nil {
		return err
	}
	var rest *os.File
	err = control(old.file, func(fd int) error {
		rest, err = os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", fd), os.O_RDONLY|unix.O_NONBLOCK, 0)
		return err
	})
	if err != nil {
		return errors.Join(err, fresh.file.Close())
	}
	last := &inFIFO{file: rest, after: old, ended: make(chan struct{})}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return errors.Join(rest.Close(), fresh.file.Close())
	}
	r.ins = append(slices.DeleteFunc(r.ins, func(in *inFIFO) bool { return in == old }), last, fresh)
	r.group.Go(func() error { return last.hand(r) })
	r.group.Go(func() error { return fresh.hand(r) })
	return old.file.Close()
}

// leaveIn closes a FIFO to the guest that nobody can write to any more.
func (r *Relay) leaveIn(f *inFIFO) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at := slices.Index(r.ins, f); at >= 0 {
		r.ins = slices.Delete(r.ins, at, at+1)
		f.file.Close()
	}
}

// renewOut makes the FIFO from the guest again. A visitor of the old one stays.
func (r *Relay) renewOut(old *watched) error {
	fresh, err := r.watchOut()
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		fresh.close()
		return nil
	}
	old.retire()
	r.doors = append(r.doors, fresh)
	r.group.Go(func() error { return r.attend(fresh) })
	return nil
}

// leaveDoor closes a door whose name another one has got.
func (r *Relay) leaveDoor(d *watched) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at := slices.Index(r.doors, d); at >= 0 && d.open.Err() != nil && r.serving.Err() == nil {
		r.doors = slices.Delete(r.doors, at, at+1)
		d.close()
	}
}

// Replace serves who connects to fresh, and closes old.
func (r *Relay) Replace(old, fresh net.Listener) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		fresh.Close()
		return
	}
	r.listeners = append(slices.DeleteFunc(slices.Clone(r.listeners), func(l net.Listener) bool { return l == old }), fresh)
	r.group.Go(func() error { return r.accept(fresh) })
	old.Close()
}

// gone tells whether there is nothing at path.
func gone(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, os.ErrNotExist)
}

// held tells whether another process has a FIFO open for reading and writing.
func held(fifo *os.File) bool {
	holders, _ := openersNow(fifo)
	return len(holders) > 0
}

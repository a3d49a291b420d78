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

// Renew makes the public FIFOs that are not there: it could not make them before, or
// their names were removed, or lead to another file. A client that has an old one open
// goes on with it. While a QEMU that was started by hand sits on the pair nothing is
// made: it would lose its ends. The error is about FIFOs whose names something else has.
func (r *Relay) Renew() error {
	r.renewing.Lock()
	defer r.renewing.Unlock()
	in, out := r.named()
	if in != nil && held(in.file) || out != nil && held(out.conn()) {
		return nil
	}
	var errs *multierror.Error
	if r.config.In != "" && (in == nil || !isAt(in.file, r.config.In)) {
		errs = multierror.Append(errs, r.renewIn(in))
	}
	if r.config.Out != "" && (out == nil || !isAt(out.conn(), r.config.Out)) {
		errs = multierror.Append(errs, r.renewOut(out))
	}
	return errs.ErrorOrNil()
}

// Lacks returns the paths of the public FIFOs at which there is none of this relay's.
func (r *Relay) Lacks() []string {
	in, out := r.named()
	var lacks []string
	if r.config.In != "" && (in == nil || !isAt(in.file, r.config.In)) {
		lacks = append(lacks, r.config.In)
	}
	if r.config.Out != "" && (out == nil || !isAt(out.conn(), r.config.Out)) {
		lacks = append(lacks, r.config.Out)
	}
	return lacks
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

// renewIn makes the FIFO to the guest, again if there is an old one. The old one is read
// until its last writer has gone.
func (r *Relay) renewIn(old *inFIFO) error {
	fresh, err := newInFIFO(r.config.In)
	if err != nil {
		return err
	}
	var last *inFIFO
	if old != nil {
		if last, err = rest(old); err != nil {
			return errors.Join(err, fresh.file.Close())
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		if last != nil {
			err = last.file.Close()
		}
		return errors.Join(err, fresh.file.Close())
	}
	if old != nil {
		r.ins = append(slices.DeleteFunc(r.ins, func(in *inFIFO) bool { return in == old }), last)
		r.beside(func() error { return last.hand(r) })
		err = old.file.Close()
	}
	r.ins = append(r.ins, fresh)
	r.beside(func() error { return fresh.hand(r) })
	return err
}

// rest returns a FIFO to the guest that ends when the last writer of old has gone.
func rest(old *inFIFO) (last *inFIFO, err error) {
	last = &inFIFO{after: old, ended: make(chan struct{})}
	err = control(old.file, func(fd int) error {
		last.file, err = os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", fd), os.O_RDONLY|unix.O_NONBLOCK, 0)
		return err
	})
	return last, err
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

// renewOut makes the FIFO from the guest, again if there is an old one. A client of the
// old one stays.
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
	if old != nil {
		old.retire()
	}
	r.doors = append(r.doors, fresh)
	r.beside(func() error { return r.attend(fresh) })
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

// Replace serves the clients that connect to fresh, and closes old; nil: there is none.
func (r *Relay) Replace(old, fresh net.Listener) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		fresh.Close()
		return
	}
	r.listeners = append(slices.DeleteFunc(slices.Clone(r.listeners), func(l net.Listener) bool { return l == old }), fresh)
	r.beside(func() error { return r.accept(fresh) })
	if old != nil {
		old.Close()
	}
}

// beside has Run wait for f too, where it has begun; else it begins f with what there
// is. The caller holds the lock.
func (r *Relay) beside(f func() error) {
	if r.running {
		r.group.Go(f)
	}
}

// isAt reports whether an open file is the one at path.
func isAt(file *os.File, path string) bool {
	ours, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(ours, named)
}

// held tells whether another process has a FIFO open for reading and writing.
func held(fifo *os.File) bool {
	holders, _ := openersNow(fifo)
	return len(holders) > 0
}

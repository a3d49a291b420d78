package relay

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"microvm-console/internal/journal"
)

// door is an endpoint that others open by its name in the file system, one
// visitor at a time as far as the relay can tell: a FIFO, or a pseudo-terminal.
type door interface {
	io.Writer
	// path names the door, and what is opened when somebody comes.
	path() string
	kind() string
	// present tells whether somebody is there to be served.
	present() bool
	// origin is the offset at which a visit begins.
	origin(*journal.Journal) int64
	// conn is what Write and typed wait for.
	conn() *os.File
	// typed hands on what the visitor types, until conn is woken or he goes. over
	// tells that this is the end of the visit.
	typed(guest io.Writer) (over bool)
	// reset makes the door ready for the next visitor. at is how far the last one
	// came.
	reset(at int64) error
}

// watched is a door, and who comes and goes there.
type watched struct {
	door
	events *Opens
	open   context.Context // ends with the relay, or when there is another door of that name
	retire context.CancelFunc
}

// watch watches a door.
func (r *Relay) watch(d door) (*watched, error) {
	events, err := WatchOpens()
	if err != nil {
		return nil, err
	}
	if err := events.Add(d.path(), unix.IN_OPEN|unix.IN_CLOSE); err != nil {
		events.Close()
		return nil, err
	}
	w := &watched{door: d, events: events}
	w.open, w.retire = context.WithCancel(r.serving)
	return w, nil
}

func (w *watched) close() {
	w.retire()
	w.events.Close()
	w.conn().Close()
}

// attend serves a door's visitors one after the other until the relay ends, or
// another door has got its name and the last visitor has gone.
func (r *Relay) attend(d *watched) error {
	defer r.leaveDoor(d)
	for {
		for !d.present() {
			_, err := d.events.Wait(d.open)
			if err != nil && (r.serving.Err() != nil || !d.present()) {
				return nil //nolint:nilerr // that has happened
			}
		}
		c, err := r.join(d.path(), d.kind(), false, d.origin(r.config.Journal))
		if err != nil {
			return nil //nolint:nilerr // the machine has ended, and the endpoint with it
		}
		over, err := r.receive(d, c)
		if errors.Is(err, errLost) {
			<-d.open.Done() // by Renew, or by the relay's end
			return nil
		}
		if over || err != nil {
			return err
		}
	}
}

// receive serves one visitor, and makes the door ready for the next one before
// this one is seen to have left. over tells that there is no next one.
func (r *Relay) receive(d *watched, c *client) (over bool, err error) {
	defer r.leave(c)
	err = r.visit(d, c)
	if r.serving.Err() != nil || errors.Is(err, journal.ErrClosed) {
		return true, nil
	}
	r.renewing.Lock()
	defer r.renewing.Unlock()
	if d.open.Err() != nil {
		return true, nil
	}
	if err := d.reset(c.offset.Load()); err != nil {
		return false, err
	}
	// A FIFO that somebody has removed is another one now.
	return false, d.events.Add(d.path(), unix.IN_OPEN|unix.IN_CLOSE)
}

// visit serves one visitor until he goes or the relay ends, and tells why it
// ended.
func (r *Relay) visit(d *watched, c *client) error {
	ctx, cancel := context.WithCancel(r.serving)
	defer until(ctx, d.conn())()
	var beside sync.WaitGroup
	defer beside.Wait()
	defer cancel()
	beside.Go(func() {
		defer cancel()
		for d.present() {
			if _, err := d.events.Wait(ctx); err != nil {
				return
			}
		}
	})
	beside.Go(func() {
		if d.typed(guest{r, ended(ctx)}) {
			cancel()
		}
	})
	return r.send(ctx, c, d)
}

// ended waits for the end of a visit.
func ended(visit context.Context) awaitGone {
	return func(ctx context.Context) error {
		select {
		case <-visit.Done():
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

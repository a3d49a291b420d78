package endpoint

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"microvm-console/internal/descriptor"
	"microvm-console/internal/openers"
	"microvm-console/internal/relay"
)

// file is an endpoint that programs open by its name in the file system, one at a time as
// far as the relay can see: a FIFO, or a pseudo-terminal.
type file interface {
	io.Writer
	info() relay.ClientInfo
	// watch watches for programs that open the endpoint, and close it.
	watch(*openers.Watch) error
	// present reports whether a program has it open.
	present(*relay.Relay) bool
	// origin returns the offset at which the client begins that has just come.
	origin(*relay.Relay) int64
	// conn is what Write and typeInto wait for.
	conn() *os.File
	// typeInto types what the client writes, until conn is woken or the client has to
	// leave. over reports that this ends its visit.
	typeInto(typist io.Writer) (over bool)
	// reset makes the endpoint ready for the next client, unless ctx has ended: another
	// endpoint has its name then. at is how far the last client came. It is errForeign if
	// the name is that of a file that is not ours.
	reset(ctx context.Context, at int64) error
}

// errForeign is returned for an endpoint whose name leads to a file that is not ours.
var errForeign = errors.New("its name is another's")

// fileServer serves a file endpoint.
type fileServer struct {
	file
	relay  *relay.Relay
	events *openers.Watch
}

// serveFile serves the clients of an endpoint one after the other until the relay ends, or
// ctx has ended and the last one has left.
func serveFile(ctx context.Context, r *relay.Relay, f file) error {
	events, err := openers.NewWatch()
	if err != nil {
		return err
	}
	defer events.Close()
	s := &fileServer{f, r, events}
	if err := f.watch(events); err != nil {
		return err
	}
	ctx, cancel := accepting(ctx, r)
	defer cancel()
	for {
		for !f.present(r) {
			_, err := events.Wait(ctx)
			if err != nil && (r.Closing().Err() != nil || !f.present(r)) {
				return nil //nolint:nilerr // that has happened
			}
		}
		client, err := r.Join(f.info(), f.origin(r))
		if err != nil {
			return nil //nolint:nilerr // the machine has ended, and the endpoint with it
		}
		over, err := s.receive(ctx, client)
		if errors.Is(err, errForeign) {
			<-ctx.Done()
			return nil
		}
		if over || err != nil {
			return err
		}
	}
}

// opening are the events that watch waits for.
const opening = unix.IN_OPEN | unix.IN_CLOSE

// receive serves one client, and makes the endpoint ready for the next one before this
// one is seen to have left. over reports that there is no next one.
func (s *fileServer) receive(ctx context.Context, client *relay.Client) (over bool, err error) {
	defer client.Close()
	err = s.visit(client)
	if s.relay.Serving().Err() != nil || isEnd(err) {
		return true, nil
	}
	if err := s.reset(ctx, client.Offset()); err != nil || ctx.Err() != nil {
		return false, err
	}
	return false, s.watch(s.events) // a FIFO that was removed is another one now
}

// visit serves one client until it leaves or has to, and returns why it ended.
func (s *fileServer) visit(client *relay.Client) error {
	ctx, cancel := context.WithCancel(s.relay.Serving())
	typist, err := s.relay.Typist(relay.TypistInfo{Through: s.info().Name})
	if err != nil {
		cancel()
		return err
	}
	defer descriptor.Until(ctx, s.conn())()
	var beside sync.WaitGroup
	defer beside.Wait()
	defer typist.Close()
	defer cancel()
	beside.Go(func() {
		defer cancel()
		for s.present(s.relay) {
			if _, err := s.events.Wait(ctx); err != nil {
				return
			}
		}
	})
	beside.Go(func() {
		if s.typeInto(typist) {
			cancel()
		}
	})
	return client.CopyTo(ctx, s.file)
}

package endpoint

import (
	"context"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"microvm-console/internal/descriptor"
	"microvm-console/internal/openers"
	"microvm-console/internal/relay"
)

// file is an endpoint that programs open by its name in the file system, one at a time as
// far as the relay can see: a FIFO, or a pseudo-terminal. If it is an io.Reader, what is read
// is typed, until an error ends the client's visit.
type file interface {
	io.Writer
	info() relay.ClientInfo
	// watch watches for programs that open the endpoint, and close it.
	watch(*openers.Watch) error
	// present reports whether a program has it open.
	present(*relay.Relay) bool
	// origin returns the offset at which the client begins that has just come.
	origin(*relay.Relay) int64
	// conn is what Write and Read wait for.
	conn() *os.File
	// reset makes the endpoint ready for the next client, unless ctx has ended: another
	// endpoint has its name then. at is how far the last client came.
	reset(ctx context.Context, at int64) error
}

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
	if client.Context().Err() != nil || isEnd(err) {
		return true, nil
	}
	if err := s.reset(ctx, client.Offset()); err != nil || ctx.Err() != nil {
		return false, err
	}
	return false, s.watch(s.events) // a FIFO that was removed is another one now
}

// visit serves one client until it leaves or has to, and returns why it ended.
func (s *fileServer) visit(client *relay.Client) error {
	ctx, cancel := context.WithCancel(client.Context())
	typist, err := s.relay.Typist(relay.TypistInfo{})
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
	if from, ok := s.file.(io.Reader); ok {
		beside.Go(func() {
			defer cancel()
			_, _ = io.CopyBuffer(typist, from, make([]byte, 4096))
		})
	}
	return client.CopyTo(ctx, s.file)
}

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

// file is an endpoint that programs open by name in the file system: a FIFO or a
// pseudo-terminal. The relay cannot distinguish its openers, so it has one client at a
// time. If the file is an io.Reader, what it reads is typed, until a read error
// disconnects the client.
type file interface {
	io.Writer
	info() relay.ClientInfo
	// watch adds watches for programs that open or close the endpoint.
	watch(*openers.Watch) error
	// present reports whether a program has it open.
	present(*relay.Relay) bool
	// origin returns the offset at which the new client begins.
	origin(*relay.Relay) int64
	// conn is the file that Write and Read block on.
	conn() *os.File
	// reset prepares the endpoint for the next client, unless ctx is done: then another
	// endpoint has the name. at is the offset that the last client has reached.
	reset(ctx context.Context, at int64) error
}

// fileServer serves a file endpoint.
type fileServer struct {
	file
	relay  *relay.Relay
	events *openers.Watch
}

// serveFile serves the clients of an endpoint, one after the other. It returns when the
// relay ends, or when ctx is done and the last client has left.
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
				return nil //nolint:nilerr // the relay or ctx has ended
			}
		}
		client, err := r.Join(f.info(), f.origin(r))
		if err != nil {
			return nil //nolint:nilerr // the VM has ended, and with it the endpoint
		}
		over, err := s.receive(ctx, client)
		if over || err != nil {
			return err
		}
	}
}

// opening is the set of inotify events that watch waits for.
const opening = unix.IN_OPEN | unix.IN_CLOSE

// receive serves one client. It prepares the endpoint for the next client before it
// removes this one from the relay. over reports that no client can follow.
func (s *fileServer) receive(ctx context.Context, client *relay.Client) (over bool, err error) {
	defer client.Close()
	err = s.serve(client)
	if client.Context().Err() != nil || isEnd(err) {
		return true, nil
	}
	if err := s.reset(ctx, client.Offset()); err != nil || ctx.Err() != nil {
		return false, err
	}
	return false, s.watch(s.events) // reset may have recreated a removed FIFO
}

// serve serves one client until it leaves or has to leave, and returns the reason.
func (s *fileServer) serve(client *relay.Client) error {
	ctx, cancel := context.WithCancel(client.Context())
	typist, err := s.relay.Typist(relay.TypistInfo{Through: s.info().Name})
	if err != nil {
		cancel()
		return err
	}
	defer descriptor.Until(ctx, s.conn())()
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer typist.Close()
	defer cancel()
	helpers.Go(func() {
		defer cancel()
		for s.present(s.relay) {
			if _, err := s.events.Wait(ctx); err != nil {
				return
			}
		}
	})
	if from, ok := s.file.(io.Reader); ok {
		helpers.Go(func() {
			defer cancel()
			_, _ = io.CopyBuffer(typist, from, make([]byte, 4096))
		})
	}
	return client.CopyTo(ctx, s.file)
}

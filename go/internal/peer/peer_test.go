package peer_test

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"microvm-console/internal/peer"
)

// hangLimit is when a test gives up on what should have come.
const hangLimit = time.Minute

// pair returns both ends of a connection.
func pair(t *testing.T, network string) (here net.Conn, there interface {
	net.Conn
	CloseWrite() error
}) {
	t.Helper()
	address := map[string]string{"unix": filepath.Join(t.TempDir(), "s"), "tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"}[network]
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := net.Dial(network, listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if here, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		here.Close()
	})
	return here, conn.(interface {
		net.Conn
		CloseWrite() error
	})
}

// A peer that closes has gone, whether or not something of it is unread.
func TestAwait(t *testing.T) {
	for _, network := range []string{"unix", "tcp4", "tcp6"} {
		for _, unread := range []string{"", "unread"} {
			t.Run(network+" "+unread, func(t *testing.T) {
				t.Parallel()
				here, there := pair(t, network)
				if _, err := io.WriteString(there, unread); err != nil {
					t.Fatal(err)
				}
				there.Close()
				ctx, cancel := context.WithTimeout(t.Context(), hangLimit)
				defer cancel()
				if err := peer.Await(ctx, here); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// One that has only finished sending has not gone; it may still read. Await asks the
// kernel more than once meanwhile.
func TestHalfClosed(t *testing.T) {
	for _, network := range []string{"unix", "tcp4"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			here, there := pair(t, network)
			if err := there.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			defer cancel()
			if err := peer.Await(ctx, here); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("it has gone: %v", err)
			}
			ended := make(chan struct{})
			go func() {
				peer.AwaitEnd(here)
				close(ended)
			}()
			there.Close()
			select {
			case <-ended:
			case <-time.After(hangLimit):
				t.Error("it has closed, and that is not seen")
			}
		})
	}
}

// The end of the connection here ends both.
func TestClosedHere(t *testing.T) {
	here, _ := pair(t, "tcp4")
	ended := make(chan error, 2)
	go func() { ended <- peer.Await(t.Context(), here) }()
	go func() {
		peer.AwaitEnd(here)
		ended <- nil
	}()
	here.Close()
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

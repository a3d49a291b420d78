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

// hangLimit is when a test gives up waiting.
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

// A peer that has closed has gone, even if some of its data is unread.
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

// A peer that has only shut down its sending side has not gone. Await searches the table
// more than once meanwhile.
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
				t.Fatalf("the peer is reported gone: %v", err)
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
				t.Error("timed out: the peer has closed")
			}
		})
	}
}

// Closing the connection on this side ends both functions.
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

package relay

import (
	"errors"
	"fmt"
	"net"
	"time"

	"microvm-console/internal/ctl"
)

// keepAlive is how a peer that is silent is asked whether it is still there: one that
// has vanished while nothing is sent to it goes within a minute. What is sent and not
// acknowledged has the kernel's own limit (tcp(7), tcp_retries2: about 15 minutes).
// Not TCP_USER_TIMEOUT: it would also end a peer that is well, and has stopped
// reading.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 3}

// acceptPause is how long accept waits where the system is out of something.
const acceptPause = 100 * time.Millisecond

// accept serves whoever connects, until the listener is closed.
func (r *Relay) accept(listener net.Listener) error {
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil { // too many open files, say: it passes
			select {
			case <-time.After(acceptPause):
			case <-r.serving.Done():
			}
			continue
		}
		if peer, ok := conn.(interface {
			SetKeepAliveConfig(config net.KeepAliveConfig) error
		}); ok {
			_ = peer.SetKeepAliveConfig(keepAlive) // else it is the kernel that has a longer limit
		}
		c, err := r.join(conn.RemoteAddr().String(), listener.Addr().Network(), false, bootStart(r.config.Journal))
		if errors.Is(err, ctl.ErrCrowded) {
			fmt.Fprintf(conn, "[%v]\r\n", err) // into the empty buffer of a socket: it does not wait
			conn.Close()
			continue
		}
		if err != nil {
			conn.Close()
			return nil //nolint:nilerr // the machine has ended, and the endpoint with it
		}
		go r.serve(conn, c) // farewell waits for it
	}
}

// lastReads is how long clients may take, once the machine has ended, to read
// what they have not read.
const lastReads = 2 * time.Second

// farewell closes the endpoints and waits for the clients: for a moment for
// those that still read, and not at all for those that do not.
func (r *Relay) farewell() {
	r.mu.Lock()
	r.closing = true
	for _, listener := range r.listeners {
		listener.Close()
	}
	r.mu.Unlock()
	timer := time.AfterFunc(lastReads, r.dismiss)
	r.clients.Wait()
	timer.Stop()
	r.dismiss()
}

package main

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"microvm-console/internal/ctl"
)

// storms counts the clients of all storms.
type storms struct{ clients, refused, bytes, repeated atomic.Int64 }

// A storm has from stormLeast to twice as many clients, and lasts stormFor at most.
const (
	stormLeast = 50
	stormFor   = 6 * time.Second
)

// storm connects clients to all streams at once, over TCP, Unix sockets and HTTP. A third of them
// does not read, and half of those on TCP reset their connection.
func (s *soak) storm(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, stormFor)
	defer stop()
	var here sync.WaitGroup
	for range stormLeast + rand.IntN(stormLeast+1) {
		stream := s.streams[rand.IntN(len(s.streams))]
		here.Go(func() { s.storms.client(ctx, stream) })
	}
	here.Wait()
}

// client runs one client. It is not an error if a relay or a VM does not run at the moment.
func (s *storms) client(ctx context.Context, to *followed) {
	s.clients.Add(1)
	conn, err := to.connect(ctx)
	if err != nil {
		s.refused.Add(1)
		return
	}
	defer conn.Close()
	ctx, leave := context.WithTimeout(ctx, time.Second+rand.N(stormFor))
	defer leave()
	if rand.IntN(3) == 0 {
		<-ctx.Done()
		return
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	records := newChecker()
	for data := make([]byte, 1+rand.IntN(readBytes)); ; {
		n, err := conn.Read(data)
		records.take(data[:n])
		s.bytes.Add(int64(n))
		if err != nil {
			s.repeated.Add(records.repeated)
			return
		}
	}
}

// connect connects to one of the endpoints of the stream.
func (s *followed) connect(ctx context.Context) (io.ReadCloser, error) {
	way := rand.IntN(3)
	if way == 0 {
		return s.client.Stream(ctx, ctl.StreamRequest{Console: s.console})
	}
	console, err := s.status(ctx)
	if err != nil {
		return nil, err
	}
	if way == 1 || console.Port == 0 {
		return new(net.Dialer).DialContext(ctx, "unix", console.Relay.Socket)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(console.Port)))
	if err == nil && rand.IntN(2) == 0 {
		err = conn.(*net.TCPConn).SetLinger(0) // closing resets it
	}
	return conn, err
}

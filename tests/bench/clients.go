package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// conn is a client's connection: a socket, or two FIFOs.
type conn interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
	// descriptors returns blocking copies of the descriptors, which the caller closes.
	descriptors() (in, out *os.File, err error)
}

// socket is a connection of package net.
type socket struct{ net.Conn }

func (s socket) descriptors() (in, out *os.File, err error) {
	file, err := s.Conn.(interface{ File() (*os.File, error) }).File()
	return file, file, err
}

// pair is two FIFOs.
type pair struct {
	*os.File          // output of the guest
	in       *os.File // input of the guest
}

func (p pair) Write(data []byte) (int, error) { return p.in.Write(data) }

func (p pair) Close() error { return errors.Join(p.File.Close(), p.in.Close()) }

func (p pair) descriptors() (in, out *os.File, err error) {
	if in, err = os.OpenFile(p.Name(), os.O_RDONLY, 0); err != nil {
		return nil, nil, err
	}
	out, err = os.OpenFile(p.in.Name(), os.O_WRONLY, 0)
	return in, out, err
}

// openPair opens the FIFOs path.out and path.in.
func openPair(path string) (conn, error) {
	out, err := os.OpenFile(path+".out", os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	in, err := os.OpenFile(path+".in", os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		out.Close()
		return nil, err
	}
	return pair{out, in}, nil
}

// connect connects client number i. It waits until the candidate accepts connections.
func (s *setup) connect(i int) (conn, error) {
	switch {
	case s.public != "":
		return openPair(s.public)
	case s.dial == nil && i == 0:
		return openPair(s.channel)
	case s.dial == nil:
		return openPair(fmt.Sprintf("%s%d", s.channel, i))
	}
	for begin := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		c, err := s.dial()
		if err == nil {
			return socket{c}, nil
		}
		if time.Since(begin) > startLimit {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return nil, fmt.Errorf("connect: %w\n%s", err, log)
		}
	}
}

// client reads a stream and counts its records.
type client struct {
	conn
	*checker
	bytes atomic.Int64
	last  time.Time // time of the last byte
	err   error
}

// readBytes is the size of a client's buffer.
const readBytes = 64 << 10

// read reads until it has received record number total, or the connection ends.
func (c *client) read(total int64) {
	data := make([]byte, readBytes)
	for c.next < total {
		n, err := c.Read(data)
		if n > 0 {
			c.take(data[:n])
			c.bytes.Add(int64(n))
			c.last = time.Now()
		}
		if err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				c.err = err
			}
			return
		}
	}
}

// readAll makes all clients read total records. It returns when they have done so, or when no
// client has received a byte within limit.
func readAll(clients []*client, total int64, limit time.Duration) {
	var reading sync.WaitGroup
	for _, c := range clients {
		reading.Go(func() { c.read(total) })
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		reading.Wait()
	}()
	var seen int64
	for since := time.Now(); ; {
		select {
		case <-done:
			return
		case <-time.After(50 * time.Millisecond):
		}
		var bytes int64
		for _, c := range clients {
			bytes += c.bytes.Load()
		}
		if bytes != seen {
			seen, since = bytes, time.Now()
		}
		if time.Since(since) > limit {
			for _, c := range clients {
				_ = c.SetReadDeadline(time.Unix(1, 0)) // an error means that the connection is closed
			}
			<-done
			return
		}
	}
}

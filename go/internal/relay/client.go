package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/journal"
)

// ClientInfo is what a client says of itself, for the status.
type ClientInfo struct {
	Name     string // its address, or the name that it has chosen
	Kind     string // the endpoint by which it came: "tcp", "unix", "stream", "fifo", "pty"
	Terminal bool   // a terminal is at its end
	// Reserved is set for an endpoint that has one client at a time: it has a place of
	// its own, also if all others are taken.
	Reserved bool
}

// Client reads the stream from an offset on: what is kept, then live. It is for one
// goroutine.
type Client struct {
	info   ClientInfo
	since  time.Time
	reader *journal.Reader
	ctx    context.Context // ends when the client has to leave
	leave  context.CancelFunc
}

// Join enters a client that reads from offset on. It is ErrCrowded if there are too many,
// and ErrFinished once the machine has ended. The caller calls Close, at the latest when
// the client's Context ends.
func (r *Relay) Join(info ClientInfo, offset int64) (*Client, error) {
	return r.join(context.Background(), info, r.journal.NewReader(offset))
}

// join is Join for what reader reads until ctx ends. On an error it closes reader.
func (r *Relay) join(ctx context.Context, info ClientInfo, reader *journal.Reader) (*Client, error) {
	c := &Client{info: info, since: time.Now(), reader: reader}
	if err := r.clients.add(c); err != nil {
		reader.Close()
		return nil, err
	}
	c.ctx, c.leave = context.WithCancel(ctx)
	unhook := context.AfterFunc(r.clients.serving, c.leave)
	// A client that has to leave is not waited for, whatever keeps it from closing.
	context.AfterFunc(c.ctx, func() {
		unhook()
		r.clients.remove(c)
	})
	return c, nil
}

// Context ends when the client has to leave: after Close, or some time after the machine
// has ended.
func (c *Client) Context() context.Context { return c.ctx }

// Offset returns the offset of the next byte that the client will get.
func (c *Client) Offset() int64 { return c.reader.Offset() }

// Close removes the client from the relay.
func (c *Client) Close() {
	c.leave()
	_ = c.reader.Close() // of a file that was only read
}

// Read reads what comes next, and waits for it. It returns a *journal.GapError if the
// client has fallen behind what is kept, a *journal.LossError if bytes could not be kept,
// and journal.ErrClosed behind the last byte of a machine that has ended.
func (c *Client) Read(ctx context.Context, data []byte) (int, error) {
	return c.reader.Read(ctx, data)
}

// chunks are the buffers in which bytes go from the journal to a client that
// cannot get them without. An idle client has none.
var chunks = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// sendAtMost is how much one sendfile(2) is asked for.
const sendAtMost = 1 << 20

// CopyTo copies what comes to w, with a notice in brackets if bytes are missing, until
// that fails or ctx ends, and returns why. It returns journal.ErrClosed behind the last
// byte of a machine that has ended. Bytes go to a socket without a copy.
func (c *Client) CopyTo(ctx context.Context, w io.Writer) error {
	// A socket gets the journal's pages themselves: they stay what they are.
	var direct syscall.RawConn
	if socket, ok := w.(syscall.Conn); ok {
		var err error
		if direct, err = socket.SyscallConn(); err != nil {
			return err
		}
	}
	for {
		file, at, there, err := c.reader.Part(ctx)
		var sent int64
		switch {
		case journal.Missing(err):
			_, err = fmt.Fprintf(w, "\r\n[%v]\r\n", err)
		case err != nil:
		case direct != nil:
			sent, err = sendFile(direct, file, at, min(there, sendAtMost))
			if noSendFile(err) {
				direct, err = nil, nil
			}
		default:
			sent, err = copyFile(w, file, at, there)
		}
		c.reader.Skip(sent)
		if errors.Is(err, io.EOF) {
			err = c.reader.Cut()
		}
		if err != nil {
			return err
		}
	}
}

// sendFile sends up to n bytes of a file from at on, and returns how many. It returns
// io.EOF if the file ends there.
func sendFile(conn syscall.RawConn, file *os.File, at, n int64) (sent int64, err error) {
	ended := conn.Write(func(fd uintptr) bool {
		part, failed := unix.Sendfile(int(fd), int(file.Fd()), &at, int(n))
		for errors.Is(failed, unix.EINTR) {
			part, failed = unix.Sendfile(int(fd), int(file.Fd()), &at, int(n))
		}
		sent, err = int64(max(0, part)), failed
		return !errors.Is(failed, unix.EAGAIN) // a full socket is waited for
	})
	switch {
	case ended != nil:
		return 0, ended
	case err != nil:
		return 0, os.NewSyscallError("sendfile", err)
	case sent == 0:
		return 0, io.EOF
	}
	return sent, nil
}

// noSendFile reports whether err is that of a file system, or of a socket, without
// sendfile(2).
func noSendFile(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP)
}

// copyFile is sendFile by way of a buffer.
func copyFile(w io.Writer, file *os.File, at, n int64) (int64, error) {
	chunk := chunks.Get().(*[32 << 10]byte)
	defer chunks.Put(chunk)
	read, err := file.ReadAt(chunk[:min(n, int64(len(chunk)))], at)
	if err != nil {
		return 0, err
	}
	written, err := w.Write(chunk[:read]) // a part, if a client leaves
	return int64(written), err
}

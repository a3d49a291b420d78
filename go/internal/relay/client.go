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

// ClientInfo describes a client in the status.
type ClientInfo struct {
	Name     string // address, or the name chosen by the client
	Kind     string // how the client is connected: "tcp", "unix", "stream", "fifo", "pty"
	Terminal bool   // the client is a terminal
	// Reserved is set for an endpoint that serves one client at a time. Such a client
	// does not count against MaxClients.
	Reserved bool
}

// Client reads the stream from an offset: first the stored bytes, then live output. A
// Client must not be used by several goroutines at once.
type Client struct {
	info   ClientInfo
	since  time.Time
	reader *journal.Reader
	ctx    context.Context // canceled when the client has to leave
	leave  context.CancelFunc
}

// Join adds a client that reads from offset. It returns ErrTooManyClients if there are too many
// clients, and ErrFinished once the VM has ended. The caller must call Close, at the
// latest when the client's Context is done.
func (r *Relay) Join(info ClientInfo, offset int64) (*Client, error) {
	return r.join(context.Background(), info, r.journal.NewReader(offset))
}

// join is Join with a given reader; the client also leaves when ctx is done. On error it
// closes reader.
func (r *Relay) join(ctx context.Context, info ClientInfo, reader *journal.Reader) (*Client, error) {
	c := &Client{info: info, since: time.Now(), reader: reader}
	if err := r.clients.add(c); err != nil {
		reader.Close()
		return nil, err
	}
	c.ctx, c.leave = context.WithCancel(ctx)
	unhook := context.AfterFunc(r.clients.serving, c.leave)
	// Do not wait for a client that has to leave, even if its Close is delayed.
	context.AfterFunc(c.ctx, func() {
		unhook()
		r.clients.remove(c)
	})
	return c, nil
}

// Context returns a context that is canceled when the client has to leave: on Close, or
// some time after the VM has ended.
func (c *Client) Context() context.Context { return c.ctx }

// Offset returns the offset of the next byte to be read.
func (c *Client) Offset() int64 { return c.reader.Offset() }

// Close removes the client from the relay.
func (c *Client) Close() {
	c.leave()
	_ = c.reader.Close() // the files are only read
}

// Read blocks until there is output, and reads it. It returns a *journal.GapError if the
// requested bytes have been dropped from the journal, a *journal.LossError if bytes could
// not be stored, and journal.ErrClosed after the last byte once the VM has ended.
func (c *Client) Read(ctx context.Context, data []byte) (int, error) {
	return c.reader.Read(ctx, data)
}

// chunks holds the buffers for clients that sendfile(2) cannot serve. An idle client
// holds no buffer.
var chunks = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// maxSendBytes is the largest count passed to sendfile(2).
const maxSendBytes = 1 << 20

// CopyTo copies the stream to w until a write fails or ctx is done, and returns the
// reason. Where bytes are missing it writes a notice in brackets. It returns
// journal.ErrClosed after the last byte once the VM has ended. If w is a socket,
// sendfile(2) copies the bytes without a buffer in user space.
func (c *Client) CopyTo(ctx context.Context, w io.Writer) error {
	// sendfile(2) queues the journal's pages themselves; that is safe because written
	// pages never change.
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
			sent, err = sendFile(direct, file, at, min(there, maxSendBytes))
			if sendfileUnsupported(err) {
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

// sendFile sends up to n bytes of a file, starting at offset at, and returns the number
// of bytes sent. It returns io.EOF if the file has no byte at that offset.
func sendFile(conn syscall.RawConn, file *os.File, at, n int64) (sent int64, err error) {
	ended := conn.Write(func(fd uintptr) bool {
		part, failed := unix.Sendfile(int(fd), int(file.Fd()), &at, int(n))
		for errors.Is(failed, unix.EINTR) {
			part, failed = unix.Sendfile(int(fd), int(file.Fd()), &at, int(n))
		}
		sent, err = int64(max(0, part)), failed
		return !errors.Is(failed, unix.EAGAIN) // wait while the socket is full
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

// sendfileUnsupported reports whether err means that the file system or the socket does
// not support sendfile(2).
func sendfileUnsupported(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP)
}

// copyFile is sendFile with a buffer in user space.
func copyFile(w io.Writer, file *os.File, at, n int64) (int64, error) {
	chunk := chunks.Get().(*[32 << 10]byte)
	defer chunks.Put(chunk)
	read, err := file.ReadAt(chunk[:min(n, int64(len(chunk)))], at)
	if err != nil {
		return 0, err
	}
	written, err := w.Write(chunk[:read]) // may be short if the client disconnects
	return int64(written), err
}

package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"microvm-console/internal/journal"
)

// chunks are the buffers in which bytes go from the journal to a client that
// they cannot go to without. An idle client has none.
var chunks = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// sendAtMost is how much one sendfile(2) is asked for.
const sendAtMost = 1 << 20

// send sends the journal from the client's offset on, until it can no more, and
// tells why: journal.ErrClosed where all has been sent.
func (r *Relay) send(ctx context.Context, c *client, conn io.Writer) error {
	reader := r.config.Journal.NewReader(c.offset.Load())
	defer reader.Close()
	direct := directOf(conn)
	for {
		file, at, there, err := reader.Part(ctx)
		var sent int64
		switch {
		case journal.Missing(err):
			_, err = fmt.Fprintf(conn, "\r\n[%v]\r\n", err)
		case err != nil:
		case direct != nil:
			sent, err = sendFile(direct, file, at, min(there, sendAtMost))
			if noSendFile(err) {
				direct, err = nil, nil
			}
		default:
			sent, err = copyFile(conn, file, at, there)
		}
		reader.Skip(sent)
		if errors.Is(err, io.EOF) {
			err = reader.Cut()
		}
		c.offset.Store(reader.Offset())
		if err != nil {
			return err
		}
	}
}

// directOf is what bytes may go to from the journal's pages, without a copy: a
// socket. nil for others. The pages stay what they are: the journal is only
// appended to.
func directOf(conn io.Writer) syscall.RawConn {
	socket, ok := conn.(interface {
		net.Conn
		syscall.Conn
	})
	if !ok {
		return nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// sendFile sends up to n bytes of a file from at on, and returns how many. io.EOF
// tells that the file ends there.
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

// noSendFile tells whether err is that of a file system, or of a socket, without
// sendfile(2).
func noSendFile(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP)
}

// copyFile is sendFile by way of a buffer.
func copyFile(conn io.Writer, file *os.File, at, n int64) (int64, error) {
	chunk := chunks.Get().(*[32 << 10]byte)
	defer chunks.Put(chunk)
	read, err := file.ReadAt(chunk[:min(n, int64(len(chunk)))], at)
	if err != nil {
		return 0, err
	}
	written, err := conn.Write(chunk[:read]) // a part, where a visitor goes
	return int64(written), err
}

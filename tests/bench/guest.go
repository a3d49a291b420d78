package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// What a guest does. It prints "ready" on stdout when it has opened its side, begins when it
// reads a line from stdin, prints "done" at the end of its output, and exits at EOF on stdin.
const (
	guestStream = "stream" // prints records at full speed, and waits for the reader
	guestPaced  = "paced"  // prints at pacedRate and drops what does not fit, as a virtconsole does
	guestSteady = "steady" // prints steadyBytes every steadyPause until it reads another line, then prints the number of bytes
	guestEcho   = "echo"   // prints its input
)

// pacedRate is in bytes per second. pacedBytes are written at once, so that a pipe takes all of
// them or none.
const (
	pacedRate  = 10 << 20
	pacedBytes = 4096
)

// A steady guest prints steadyBytes at once and then waits for steadyPause: 400 KB/s at most.
const (
	steadyBytes = 4096
	steadyPause = 10 * time.Millisecond
)

// guestBytes is the size of a write at full speed.
const guestBytes = 64 << 10

// guest is the main function of a process that replaces QEMU: `guest KIND DOES BYTES PATH...`.
// With KIND fifo it opens PATH.in and PATH.out as a pipe chardev does; with unix it listens on
// the socket PATH for one client. It uses plain blocking calls, because the program between the
// guest and the clients is measured.
func guest(args []string) error {
	kind, does, paths := args[0], args[1], args[3:]
	total, err := strconv.ParseInt(args[2], 10, 64)
	if err != nil {
		return err
	}
	side, err := plug(kind, paths)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	input := bufio.NewReader(os.Stdin)
	if _, err := input.ReadString('\n'); err != nil {
		return nil //nolint:nilerr // the parent has ended
	}
	switch does {
	case guestStream:
		<-side.ready
		err = stream(side.out, total)
	case guestPaced:
		err = paced(side, total)
	case guestSteady:
		<-side.ready
		err = steady(side.out[0], input)
	case guestEcho:
		<-side.ready
		go echo(side.out[0], side.in)
	}
	if err != nil {
		return err
	}
	fmt.Println("done")
	_, _ = input.ReadString('\n') // wait for EOF
	return nil
}

// side is the guest's side. The descriptors are valid once ready is closed.
type side struct {
	out   []int
	in    int
	ready chan struct{}
}

// plug opens the guest's side. It does not wait for the client of a socket, as QEMU does not
// with wait=off.
func plug(kind string, paths []string) (*side, error) {
	s := &side{ready: make(chan struct{})}
	if kind == "unix" {
		listener, err := net.Listen("unix", paths[0])
		if err != nil {
			return nil, err
		}
		go s.accept(listener)
		return s, nil
	}
	for _, path := range paths {
		fd, err := unix.Open(path+".out", unix.O_RDWR, 0)
		if err != nil {
			return nil, &os.PathError{Op: "open", Path: path + ".out", Err: err}
		}
		s.out = append(s.out, fd)
	}
	var err error
	if s.in, err = unix.Open(paths[0]+".in", unix.O_RDWR, 0); err != nil {
		return nil, &os.PathError{Op: "open", Path: paths[0] + ".in", Err: err}
	}
	close(s.ready)
	return s, nil
}

// accept accepts one client.
func (s *side) accept(listener net.Listener) {
	conn, err := listener.Accept()
	if err != nil {
		return
	}
	file, err := conn.(*net.UnixConn).File()
	if err != nil {
		return
	}
	s.in = int(file.Fd()) // this descriptor blocks
	s.out = []int{s.in}
	close(s.ready)
}

// stream writes total bytes to each descriptor of out.
func stream(out []int, total int64) error {
	records := newWriter(guestBytes)
	for sent := int64(0); sent < total; sent += guestBytes {
		block := records.fill()
		for _, fd := range out {
			if err := writeAll(fd, block); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeAll(fd int, data []byte) error {
	for len(data) > 0 {
		n, err := unix.Write(fd, data)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("write", err)
		}
		data = data[max(0, n):]
	}
	return nil
}

// paced prints total bytes. Output without a client is dropped.
func paced(s *side, total int64) error {
	records := newWriter(pacedBytes)
	begin := time.Now()
	for sent := int64(0); sent < total; sent += pacedBytes {
		time.Sleep(time.Until(begin.Add(time.Duration(sent) * time.Second / pacedRate)))
		block := records.fill()
		select {
		case <-s.ready:
		default:
			continue
		}
		if err := unix.SetNonblock(s.out[0], true); err != nil {
			return os.NewSyscallError("fcntl", err)
		}
		_, err := unix.Write(s.out[0], block)
		if err != nil && !errors.Is(err, unix.EAGAIN) {
			return os.NewSyscallError("write", err)
		}
	}
	return nil
}

// steady prints until input has a line or ends. It blocks while the pipe is full.
func steady(out int, input *bufio.Reader) error {
	enough := make(chan struct{})
	go func() {
		defer close(enough)
		_, _ = input.ReadString('\n')
	}()
	records := newWriter(steadyBytes)
	for sent := 0; ; sent += steadyBytes {
		select {
		case <-enough:
			fmt.Println(sent)
			return nil
		case <-time.After(steadyPause):
		}
		if err := writeAll(out, records.fill()); err != nil {
			return err
		}
	}
}

// echo prints each byte of its input, until the process ends.
func echo(out, in int) {
	runtime.LockOSThread()
	for one := make([]byte, 1); move(unix.SYS_READ, in, one) == nil; {
		if move(unix.SYS_WRITE, out, one) != nil {
			return
		}
	}
}

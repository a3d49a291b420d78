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

// What a guest does. It says "ready" on stdout when it is plugged in, begins when
// it gets a line on stdin, says "done" when it has printed all, and stays until
// stdin ends.
const (
	guestStream = "stream" // prints records at full speed, and waits for who reads
	guestPaced  = "paced"  // prints at pacedRate and drops what nobody takes, as a virtconsole does
	guestSteady = "steady" // prints steadyBytes every steadyPause until it gets another line, and says how many bytes in all
	guestEcho   = "echo"   // prints what is typed
)

// pacedRate is in bytes per second; pacedBytes at once, so that a pipe takes
// them whole or not at all.
const (
	pacedRate  = 10 << 20
	pacedBytes = 4096
)

// steadyBytes is how much a steady guest prints at once, and steadyPause how long it
// waits then: 400 KB/s at most.
const (
	steadyBytes = 4096
	steadyPause = 10 * time.Millisecond
)

// guestBytes is how much a guest prints at once at full speed.
const guestBytes = 64 << 10

// guest is the process that stands for a QEMU: `guest KIND DOES BYTES PATH...`.
// With KIND fifo it has PATH.in and PATH.out open as a pipe chardev has, with
// unix it is the server of the socket PATH, for one client. Only plain blocking
// calls: what is measured is who stands between.
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
	orders := bufio.NewReader(os.Stdin)
	if _, err := orders.ReadString('\n'); err != nil {
		return nil //nolint:nilerr // nobody wants it any more
	}
	switch does {
	case guestStream:
		<-side.there
		err = stream(side.out, total)
	case guestPaced:
		err = paced(side, total)
	case guestSteady:
		<-side.there
		err = steady(side.out[0], orders)
	case guestEcho:
		<-side.there
		go echo(side.out[0], side.in)
	}
	if err != nil {
		return err
	}
	fmt.Println("done")
	_, _ = orders.ReadString('\n') // until stdin ends
	return nil
}

// side is the guest's side: descriptors that are good once there is closed.
type side struct {
	out   []int
	in    int
	there chan struct{}
}

// plug opens the guest's side. A socket waits for its client meanwhile, as QEMU's
// do with wait=off.
func plug(kind string, paths []string) (*side, error) {
	s := &side{there: make(chan struct{})}
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
	close(s.there)
	return s, nil
}

// accept takes one client.
func (s *side) accept(listener net.Listener) {
	conn, err := listener.Accept()
	if err != nil {
		return
	}
	file, err := conn.(*net.UnixConn).File()
	if err != nil {
		return
	}
	s.in = int(file.Fd()) // it blocks from now on
	s.out = []int{s.in}
	close(s.there)
}

// stream prints total bytes to each of out.
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

// paced prints total bytes. What is printed while nobody is there is dropped.
func paced(s *side, total int64) error {
	records := newWriter(pacedBytes)
	begin := time.Now()
	for sent := int64(0); sent < total; sent += pacedBytes {
		time.Sleep(time.Until(begin.Add(time.Duration(sent) * time.Second / pacedRate)))
		block := records.fill()
		select {
		case <-s.there:
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

// steady prints, and waits while the pipe is full, until orders has a line or ends.
func steady(out int, orders *bufio.Reader) error {
	enough := make(chan struct{})
	go func() {
		defer close(enough)
		_, _ = orders.ReadString('\n')
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

// echo prints each byte that is typed, until the process ends.
func echo(out, in int) {
	runtime.LockOSThread()
	for one := make([]byte, 1); move(unix.SYS_READ, in, one) == nil; {
		if move(unix.SYS_WRITE, out, one) != nil {
			return
		}
	}
}

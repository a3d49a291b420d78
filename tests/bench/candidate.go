package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// candidate is a program, or nothing, between a guest and its clients.
type candidate struct {
	name    string
	command string // short form of its command
	program string // the program that must be installed; "" for none
	plug    string // how the guest connects: "fifo" or "unix"
	clients int    // number of clients that it can serve with all bytes; 0 for any number
	ours    bool   // qemu-relay itself
	before  bool   // the qemu-relay of --before
	// start starts it for a guest that is ready, with idle more channels.
	start func(s *setup, idle int) error
}

// setup is a running candidate with its guest.
type setup struct {
	dir        string
	relay      string // path of qemu-relay
	clients    int    // number of clients that will connect
	channel    string // path of the guest's FIFOs without .in and .out
	guest      *exec.Cmd
	orders     io.WriteCloser
	lines      chan string // that the guest process prints
	running    []*exec.Cmd
	closed     sync.Once
	idleGuests []net.Listener // guests of the idle channels
	dial       func() (net.Conn, error)
	public     string // path of a pair of FIFOs, instead of dial
}

// startLimit is the time limit for starting a candidate or a guest, and for connecting.
const startLimit = 10 * time.Second

// open starts a guest, and a candidate for it. does is what the guest does; see guest.
func (c candidate) open(b *bench, does string, bytes int64, clients, idle int) (*setup, error) {
	dir, err := os.MkdirTemp(b.work, "x")
	if err != nil {
		return nil, err
	}
	relay := b.relay
	if c.before {
		relay = b.before
	}
	s := &setup{dir: dir, relay: relay, clients: clients, channel: filepath.Join(dir, "vm")}
	b.open.Store(s)
	err = s.makeChannel(c.plug)
	if err == nil && c.ours {
		err = c.start(s, idle) // qemu-relay creates the FIFOs
	}
	if err == nil {
		err = s.startGuest(c, does, bytes)
	}
	if err == nil && !c.ours && c.start != nil {
		err = c.start(s, idle)
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	return s, nil
}

// makeChannel creates the FIFOs of the VM's side.
func (s *setup) makeChannel(plug string) error {
	if plug != "fifo" {
		return nil
	}
	return errors.Join(unix.Mkfifo(s.channel+".out", 0o600), unix.Mkfifo(s.channel+".in", 0o600))
}

// startGuest starts the guest and waits until it is ready.
func (s *setup) startGuest(c candidate, does string, bytes int64) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := []string{"guest", c.plug, does, fmt.Sprint(bytes), s.channel}
	if c.start == nil { // a pipe for each client
		for i := 1; i < s.clients; i++ {
			path := fmt.Sprintf("%s%d", s.channel, i)
			if err := errors.Join(unix.Mkfifo(path+".out", 0o600), unix.Mkfifo(path+".in", 0o600)); err != nil {
				return err
			}
			args = append(args, path)
		}
	}
	s.guest = exec.Command(self, args...)
	s.guest.Stderr = os.Stderr
	if s.orders, err = s.guest.StdinPipe(); err != nil {
		return err
	}
	out, err := s.guest.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.guest.Start(); err != nil {
		return err
	}
	s.lines = make(chan string, 2)
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			s.lines <- lines.Text()
		}
		close(s.lines)
	}()
	return s.awaitLine("ready", startLimit)
}

// begin makes the guest begin.
func (s *setup) begin() error {
	_, err := io.WriteString(s.orders, "begin\n")
	return err
}

// await waits until a file exists.
func (s *setup) await(path string) error {
	for begin := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		_, err := os.Stat(path)
		if err == nil || time.Since(begin) > startLimit {
			return err
		}
	}
}

// awaitLine waits until the guest prints word.
func (s *setup) awaitLine(word string, limit time.Duration) error {
	select {
	case said := <-s.lines:
		if said != word {
			return fmt.Errorf("guest: printed %q, want %q", said, word)
		}
		return nil
	case <-time.After(limit):
		return fmt.Errorf("guest: no %q within %v", word, limit)
	}
}

// run starts a program, which ends with the setup.
func (s *setup) run(name string, args ...string) error {
	return s.launch(exec.Command(name, args...))
}

func (s *setup) launch(command *exec.Cmd) error {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		return err
	}
	s.running = append(s.running, command)
	return nil
}

// close ends all processes of the setup.
func (s *setup) close() { s.closed.Do(s.stop) }

func (s *setup) stop() {
	for _, command := range s.running {
		end(command)
	}
	if s.guest != nil && s.guest.Process != nil {
		s.orders.Close()
		_ = s.guest.Process.Kill() // an error means that it has ended
		_ = s.guest.Wait()
	}
	for _, listener := range s.idleGuests {
		listener.Close()
	}
	_ = os.RemoveAll(s.dir) // if that fails, the folder of the run is removed at the end
}

// end kills a process and its children, such as those of socat.
func end(command *exec.Cmd) {
	children := tree(command.Process.Pid)
	_ = command.Process.Signal(unix.SIGTERM)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = command.Wait()
	}()
	select {
	case <-ended:
	case <-time.After(3 * time.Second):
		_ = command.Process.Kill()
		<-ended
	}
	for _, child := range children[1:] {
		child.kill()
	}
}

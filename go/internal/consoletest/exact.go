package consoletest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"microvm-console/internal/ctl"
	"microvm-console/internal/vmconfig"
)

// The lines before and behind the numbered ones. The guest computes them: the
// echo of the command line has neither.
const (
	linesBegin = "begin-2961"
	linesEnd   = "end-2961"
)

// exact has the guest print numbered lines on a console, and looks for each at
// a client that reads along, at one that comes late, and in the journal, while
// another client never reads.
func (s *Suite) exact(console vmconfig.Console) func(context.Context) error {
	return func(ctx context.Context) error {
		shell, err := s.shell(console.Device)
		if err != nil {
			return err
		}
		defer shell.Skip()
		idle, err := s.client(ctx, console)
		if err != nil {
			return err
		}
		defer idle.Close()
		live, err := s.stream(ctx, console)
		if err != nil {
			return err
		}
		defer live.Close()
		var readers errgroup.Group
		readers.Go(func() error { return told("a client that reads along", countLines(live, s.lines)) })
		if err := shell.Send(fmt.Sprintf("dmesg -n 1; echo begin-$((63*47)); seq 1 %d; echo end-$((63*47)); dmesg -n 7\n", s.lines)); err != nil {
			return err
		}
		if err := readers.Wait(); err != nil {
			return err
		}
		return s.again(ctx, console)
	}
}

// again reads the lines once more: as a client that comes late, and from the
// journal.
func (s *Suite) again(ctx context.Context, console vmconfig.Console) error {
	late, err := s.client(ctx, console)
	if err != nil {
		return err
	}
	defer late.Close()
	kept, err := s.vm.Stream(ctx, ctl.StreamRequest{Console: console.Name})
	if err != nil {
		return err
	}
	defer kept.Close()
	return errors.Join(
		told("a client that comes late", countLines(late, s.lines)),
		told("the journal", countLines(kept, s.lines)))
}

// stream reads a console from now on, as a client of the control socket.
func (s *Suite) stream(ctx context.Context, console vmconfig.Console) (*ctl.Stream, error) {
	return s.vm.Stream(ctx, ctl.StreamRequest{Console: console.Name, From: "now"})
}

// client connects to a console's port. It ends with ctx.
func (s *Suite) client(ctx context.Context, console vmconfig.Console) (net.Conn, error) {
	for _, endpoint := range s.vm.Status().Consoles {
		if endpoint.Name != console.Name {
			continue
		}
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address(endpoint))
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, func() { conn.Close() })
		return conn, nil
	}
	return nil, fmt.Errorf("no console %q", console.Name)
}

func told(who string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", who, err)
	}
	return nil
}

// countLines reads until the line behind the numbered ones, 1 to last, each of which
// has to be there, once, in order.
func countLines(r io.Reader, last int) error {
	lines := bufio.NewScanner(r)
	next := 0 // 0: they have not begun
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		switch {
		case next == 0:
			if line == linesBegin {
				next = 1
			}
		case line == linesEnd && next == last+1:
			return nil
		case line != strconv.Itoa(next):
			return fmt.Errorf("got %q, want line %d of %d", line, next, last)
		default:
			next++
		}
	}
	return fmt.Errorf("it ends before line %d of %d: %w", next, last, errors.Join(io.ErrUnexpectedEOF, lines.Err()))
}

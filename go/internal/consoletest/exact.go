package consoletest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"microvm-console/internal/ctl"
	"microvm-console/internal/vmconfig"
)

// The lines before and after the numbered ones, and after the kernel's messages. The guest computes
// them, so that the echo of the command line has none.
const (
	linesBegin  = "begin-2961"
	linesEnd    = "end-2961"
	messagesEnd = "said-2961"
)

// numberedLines returns a command line that prints numbered lines. The kernel's messages would come in
// the middle of the lines, so they are kept off the consoles meanwhile, and printed at the end: the
// verdict on the kernel's log needs them. If the first line of dmesg has changed, the kernel has
// dropped messages, and all that dmesg has are printed.
func numberedLines(lines int) string {
	// cat makes few writes of many lines, which takes half the time.
	return fmt.Sprintf(`read p </proc/sys/kernel/printk; f=$(dmesg | head -n 1); n=$(dmesg | wc -l); dmesg -n 1; `+
		`echo begin-$((63*47)); seq 1 %d | cat; echo end-$((63*47)); echo $p >/proc/sys/kernel/printk || dmesg -n 7; `+
		`[ "$(dmesg | head -n 1)" = "$f" ] || n=0; dmesg | tail -n +$((n+1)); echo said-$((63*47))`, lines)
}

// exact has the guest print numbered lines on a console. Each line must reach a client that
// is connected meanwhile, one that connects later, and the journal, while another client
// never reads.
func (s *Suite) exact(console vmconfig.Console, lines int) func(context.Context) error {
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
		readers.Go(func() error { return by("a connected client", countLines(live, lines)) })
		if err := shell.typeLine(numberedLines(lines)); err != nil {
			return err
		}
		if err := readers.Wait(); err != nil {
			return err
		}
		if err := s.again(ctx, console, lines); err != nil {
			return err
		}
		_, err = shell.Expect(ctx, "end of the kernel's messages", regexp.MustCompile(messagesEnd))
		return err
	}
}

// again reads the lines once more: as a client that connects later, and from the journal.
func (s *Suite) again(ctx context.Context, console vmconfig.Console, lines int) error {
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
		by("a client that connected later", countLines(late, lines)),
		by("the journal", countLines(kept, lines)))
}

// stream returns the stream of a console from now on, through the control socket.
func (s *Suite) stream(ctx context.Context, console vmconfig.Console) (*ctl.Stream, error) {
	return s.vm.Stream(ctx, ctl.StreamRequest{Console: console.Name, From: "now"})
}

// client connects to a console's port. The connection is closed when ctx ends.
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

// by adds to err which reader has failed.
func by(reader string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", reader, err)
	}
	return nil
}

// wrongLine is the error of a stream that has another line than the next numbered one. It may
// be the kernel's, before the machine ends.
type wrongLine struct {
	got        string
	want, last int
}

func (w wrongLine) Error() string {
	return fmt.Sprintf("got %q, want line %d of %d", w.got, w.want, w.last)
}

// countLines reads up to the line after the numbered ones, and returns an error unless the
// lines 1 to last are there, each once, in order.
func countLines(r io.Reader, last int) error {
	lines := bufio.NewScanner(r)
	next := 0 // the number of the next line; 0 before the first
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		switch {
		case next == 0:
			// A shell with bracketed paste writes a control sequence before it.
			if strings.HasSuffix(line, linesBegin) {
				next = 1
			}
		case line == linesEnd && next == last+1:
			return nil
		case line != strconv.Itoa(next):
			return wrongLine{line, next, last}
		default:
			next++
		}
	}
	return fmt.Errorf("ended before line %d of %d: %w", next, last, errors.Join(io.ErrUnexpectedEOF, lines.Err()))
}

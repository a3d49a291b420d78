package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"syscall"
	"time"
)

// clientSeries is one client after the other, all of one kind and one habit.
type clientSeries struct {
	relay   *relayProcess
	name    string // of the channel
	kind    string
	habit   string
	journal *journalFiles
	begins  int64 // the offset of the first byte of the boot; -1: its lines tell
	random  *rand.Rand

	visits, cut int // how many there were, and how many of them the relay's end cut off
	bytes       int64
	faults      []error
}

// The habits of clients.
const (
	leaves  = "reads, and leaves"
	stays   = "stays until it is cut off"
	deaf    = "never reads"
	slow    = "reads a byte a second"
	stopped = "is stopped and continued"
	gone    = "is stopped for good"
)

// newClientSeries is the lane with a number on one of some channels: among 50, there are
// all kinds and habits, but none reads a FIFO that cannot tell where it begins.
func newClientSeries(relay *relayProcess, number int, names []string, journals map[string]*journalFiles, begins int64) *clientSeries {
	l := &clientSeries{
		relay:  relay,
		name:   names[number%len(names)],
		begins: begins,
		kind:   []string{"unix", "tcp", "stream", "unix", "stream"}[number%5],
		habit:  leaves,
		random: rand.New(rand.NewPCG(tortureSeed, 100+uint64(number))),
	}
	switch {
	case number < len(names) && begins < 0:
		l.kind = "fifo"
	case number < 6:
		l.habit = deaf
	case number < 9:
		l.habit = slow
	case number < 15:
		l.habit = stopped
	case number < 18:
		l.habit = gone
	case number < 24:
		l.habit = stays
	}
	if l.kind == "tcp" && relay.ports[l.name] == 0 {
		l.kind = "unix"
	}
	l.journal = journals[l.name]
	return l
}

// run has the clients come until ctx ends.
func (l *clientSeries) run(ctx context.Context) {
	for len(l.faults) < 5 {
		up := l.relay.awaitUp(ctx)
		if ctx.Err() != nil {
			return
		}
		err := l.connectOnce(ctx, up)
		l.visits++
		ended := up.Err() != nil || ctx.Err() != nil
		if ended {
			l.cut++
		}
		var wrong *wrongError
		if errors.As(err, &wrong) || err != nil && !ended {
			l.faults = append(l.faults, err)
		}
	}
}

// wrongError is that a client has got what the journal has not. Any other is that
// it was cut off, or refused.
type wrongError struct{ err error }

func (e *wrongError) Error() string { return e.err.Error() }

// connectOnce is one client's, until it leaves or is cut off.
func (l *clientSeries) connectOnce(ctx, up context.Context) error {
	f := &streamChecker{journal: l.journal, offset: l.begins, boot: l.kind != "fifo"}
	defer func() { l.bytes += f.bytes }()
	conn, err := l.connect(f)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	want := int64(l.random.IntN(1 << 20))
	switch l.habit {
	case stays:
		want = 1 << 62
	case deaf:
		pause(ctx, up, time.Hour)
	case slow:
		for pause(ctx, up, time.Second) && err == nil {
			err = take(f, conn, 1)
		}
	case stopped:
		for pause(ctx, up, l.moment()) && err == nil {
			err = take(f, conn, want/4)
			conn.process.Signal(syscall.SIGSTOP)
			pause(ctx, up, l.moment())
			conn.process.Signal(syscall.SIGCONT)
		}
	case gone:
		err = take(f, conn, want)
		conn.process.Signal(syscall.SIGSTOP)
		pause(ctx, up, time.Hour)
		return err
	}
	if err == nil {
		err = take(f, conn, want)
	}
	return err
}

// moment is a random one.
func (l *clientSeries) moment() time.Duration {
	return time.Duration(l.random.IntN(200)) * time.Millisecond
}

// pause waits, and tells whether neither of the two has ended meanwhile.
func pause(ctx, up context.Context, pause time.Duration) bool {
	select {
	case <-time.After(pause):
		return true
	case <-up.Done():
	case <-ctx.Done():
	}
	return false
}

// take has f read so many bytes.
func take(f *streamChecker, from io.Reader, want int64) error {
	chunk := make([]byte, 64<<10)
	for want > 0 {
		n, err := from.Read(chunk[:min(want, int64(len(chunk)))])
		want -= int64(n)
		if _, wrong := f.Write(chunk[:n]); wrong != nil {
			return &wrongError{wrong}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

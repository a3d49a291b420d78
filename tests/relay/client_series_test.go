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

// clientSeries is a series of clients, one after the other, of one kind and one habit.
type clientSeries struct {
	relay   *relayProcess
	name    string // of the channel
	kind    string
	habit   string
	journal *journalFiles
	begins  int64 // the offset of the first byte of the boot; -1 if it is to be found by its lines
	random  *rand.Rand

	connections, cut int // the number of clients, and of those that ended with the relay
	bytes            int64
	faults           []error
}

// The habits of clients.
const (
	leaves  = "reads and disconnects"
	stays   = "stays connected"
	deaf    = "never reads"
	slow    = "reads a byte a second"
	stopped = "is stopped and continued"
	gone    = "is stopped for good"
)

// newClientSeries returns series number, which connects to one of the channels. 50 series have
// all kinds and habits. If begins is known, no client reads a FIFO, whose first byte for a new
// reader can have any offset.
func newClientSeries(relay *relayProcess, number int, names []string, journals map[string]*journalFiles, begins int64) *clientSeries {
	c := &clientSeries{
		relay:  relay,
		name:   names[number%len(names)],
		begins: begins,
		kind:   []string{"unix", "tcp", "stream", "unix", "stream"}[number%5],
		habit:  leaves,
		random: rand.New(rand.NewPCG(tortureSeed, 100+uint64(number))),
	}
	switch {
	case number < len(names) && begins < 0:
		c.kind = "fifo"
	case number < 6:
		c.habit = deaf
	case number < 9:
		c.habit = slow
	case number < 15:
		c.habit = stopped
	case number < 18:
		c.habit = gone
	case number < 24:
		c.habit = stays
	}
	if c.kind == "tcp" && relay.ports[c.name] == 0 {
		c.kind = "unix"
	}
	c.journal = journals[c.name]
	return c
}

// run connects one client after the other until ctx ends.
func (c *clientSeries) run(ctx context.Context) {
	for len(c.faults) < 5 {
		up := c.relay.awaitUp(ctx)
		if ctx.Err() != nil {
			return
		}
		err := c.connectOnce(ctx, up)
		c.connections++
		ended := up.Err() != nil || ctx.Err() != nil
		if ended {
			c.cut++
		}
		var wrong *wrongError
		if errors.As(err, &wrong) || err != nil && !ended {
			c.faults = append(c.faults, err)
		}
	}
}

// wrongError is the error of a client that has received bytes that are not in the journal. Any
// other error means that it was cut off or refused.
type wrongError struct{ err error }

func (e *wrongError) Error() string { return e.err.Error() }

// connectOnce runs one client until it disconnects or is cut off.
func (c *clientSeries) connectOnce(ctx, up context.Context) error {
	f := &streamChecker{journal: c.journal, offset: c.begins, boot: c.kind != "fifo"}
	defer func() { c.bytes += f.bytes }()
	conn, err := c.connect(f)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	want := int64(c.random.IntN(1 << 20))
	switch c.habit {
	case stays:
		want = 1 << 62
	case deaf:
		pause(ctx, up, time.Hour)
	case slow:
		for pause(ctx, up, time.Second) && err == nil {
			err = take(f, conn, 1)
		}
	case stopped:
		for pause(ctx, up, c.moment()) && err == nil {
			err = take(f, conn, want/4)
			conn.process.Signal(syscall.SIGSTOP)
			pause(ctx, up, c.moment())
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

// moment returns the length of a random pause.
func (c *clientSeries) moment() time.Duration {
	return time.Duration(c.random.IntN(200)) * time.Millisecond
}

// pause waits, and reports whether both contexts are still valid.
func pause(ctx, up context.Context, pause time.Duration) bool {
	select {
	case <-time.After(pause):
		return true
	case <-up.Done():
	case <-ctx.Done():
	}
	return false
}

// take reads want bytes into f.
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

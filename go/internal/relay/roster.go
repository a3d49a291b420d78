package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"microvm-console/internal/state"
)

// MaxClients is how many clients a console has at most, besides those with a reserved place.
const MaxClients = 256

// ErrCrowded is returned when a console has as many clients as it takes.
var ErrCrowded = fmt.Errorf("this console has %d clients, the most it takes (end some; console-status lists them)", MaxClients)

// ErrFinished is returned when the machine has ended, and no client can join any more.
var ErrFinished = errors.New("relay: the machine has ended")

// lastReads is how long clients may take, once the machine has ended, to read
// what they have not read.
const lastReads = 2 * time.Second

// roster is the clients that are there, in the order in which they came.
type roster struct {
	closing context.Context // ends when none can join any more
	close   context.CancelFunc
	serving context.Context // ends when all have to leave
	stop    context.CancelFunc
	there   sync.WaitGroup

	mu      sync.Mutex
	clients []*Client
	taken   int // how many have no reserved place
	crowded int // how many were refused
}

func newRoster() *roster {
	l := &roster{}
	l.closing, l.close = context.WithCancel(context.Background())
	l.serving, l.stop = context.WithCancel(context.Background())
	return l
}

// add enters a client.
func (l *roster) add(c *Client) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing.Err() != nil {
		return ErrFinished
	}
	if !c.info.Reserved {
		if l.taken == MaxClients {
			l.crowded++
			return ErrCrowded
		}
		l.taken++
	}
	l.there.Add(1)
	l.clients = append(l.clients, c)
	return nil
}

// remove ends what add began.
func (l *roster) remove(c *Client) {
	defer l.there.Done()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !c.info.Reserved {
		l.taken--
	}
	l.clients = slices.DeleteFunc(l.clients, func(other *Client) bool { return other == c })
}

// dismiss waits for the clients to leave: up to limit for those that still read. Then
// all have to.
func (l *roster) dismiss(limit time.Duration) {
	l.mu.Lock()
	l.close()
	l.mu.Unlock()
	defer l.stop()
	defer time.AfterFunc(limit, l.stop).Stop()
	l.there.Wait()
}

// list returns the clients of a stream that ends at end, and how many were refused.
// writer is the name of the one that has the writer's seat.
func (l *roster) list(end int64, writer string) (clients []state.Client, crowded int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	clients = make([]state.Client, len(l.clients))
	for i, c := range l.clients {
		offset := c.Offset()
		clients[i] = state.Client{
			Client: c.info.Name, Kind: c.info.Kind, Since: c.since, Offset: offset, Lag: max(0, end-offset),
			Terminal: c.info.Terminal, Writes: writer != "" && c.info.Kind == streamKind && c.info.Name == writer,
		}
	}
	return clients, l.crowded
}

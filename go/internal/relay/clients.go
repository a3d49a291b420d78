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

// MaxClients is the maximum number of clients of a console, not counting those with a
// reserved place.
const MaxClients = 256

// ErrTooManyClients is returned by Join if a console already has MaxClients clients.
var ErrTooManyClients = fmt.Errorf("this console has %d clients, the maximum (disconnect some; console-status lists them)", MaxClients)

// ErrFinished is returned by Join once the VM has ended.
var ErrFinished = errors.New("relay: the machine has ended")

// finalReadLimit is how long clients have, once the VM has ended, to read the rest.
const finalReadLimit = 2 * time.Second

// clientList is the list of connected clients, in the order in which they joined.
type clientList struct {
	closing context.Context // canceled when no client can join any more
	close   context.CancelFunc
	serving context.Context // canceled when all clients have to leave
	stop    context.CancelFunc
	members sync.WaitGroup

	mu      sync.Mutex
	clients []*Client
	counted int // clients without a reserved place
	refused int // clients refused so far
}

func newClientList() *clientList {
	l := &clientList{}
	l.closing, l.close = context.WithCancel(context.Background())
	l.serving, l.stop = context.WithCancel(context.Background())
	return l
}

// add adds a client to the list.
func (l *clientList) add(c *Client) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing.Err() != nil {
		return ErrFinished
	}
	if !c.info.Reserved {
		if l.counted == MaxClients {
			l.refused++
			return ErrTooManyClients
		}
		l.counted++
	}
	l.members.Add(1)
	l.clients = append(l.clients, c)
	return nil
}

// remove removes a client that add has added.
func (l *clientList) remove(c *Client) {
	defer l.members.Done()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !c.info.Reserved {
		l.counted--
	}
	l.clients = slices.DeleteFunc(l.clients, func(other *Client) bool { return other == c })
}

// dismiss lets no more clients join and waits up to limit for the others to leave by
// themselves. Then it makes them leave.
func (l *clientList) dismiss(limit time.Duration) {
	l.mu.Lock()
	l.close()
	l.mu.Unlock()
	defer l.stop()
	defer time.AfterFunc(limit, l.stop).Stop()
	l.members.Wait()
}

// list returns the clients of a stream that ends at offset end, and the number of clients
// refused. writer is the name of the client that has the writer's seat.
func (l *clientList) list(end int64, writer string) (clients []state.Client, refused int) {
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
	return clients, l.refused
}

// Package console is one console of a VM, or one channel of a persistent relay: its
// journal, its relay and its endpoints, in a folder that is locked by its owner.
//
// Invariants:
//   - An endpoint whose name belongs to another file is left out, and tried again by
//     Repair. All others are served.
//   - Clients of an endpoint that was made again stay with the old one.
package console

import (
	"context"
	"errors"
	"os"
	"sync"

	"github.com/hashicorp/go-multierror"
	"golang.org/x/sync/errgroup"

	"microvm-console/internal/endpoint"
	"microvm-console/internal/journal"
	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
)

// Config is what a console is made of.
type Config struct {
	// Dir is the console's private folder. It is made if it is missing.
	Dir string
	// Journal is the folder of the stream.
	Journal string
	// Retention bounds the stream.
	Retention journal.Retention
	// Relay is the rest of the relay's settings. Dir and Journal are not looked at.
	Relay relay.Config
}

// Console is one console, open. Open makes it; the caller adds its endpoints, and calls
// Run once, or Abandon.
type Console struct {
	relay *relay.Relay
	group errgroup.Group

	mu      sync.Mutex // held while endpoints, and their names, are looked at and made
	running bool       // Run has begun
	ended   bool       // nothing is served any more
	slots   []*Slot
}

// Open opens the console's journal and its relay.
func Open(config Config) (*Console, error) {
	if err := os.Mkdir(config.Dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	stream, err := journal.Open(config.Journal, config.Retention)
	if err != nil {
		return nil, err
	}
	config.Relay.Dir, config.Relay.Journal = config.Dir, stream
	r, err := relay.New(config.Relay)
	if err != nil {
		return nil, errors.Join(err, stream.Close())
	}
	return &Console{relay: r}, nil
}

// Relay returns the console's relay.
func (c *Console) Relay() *relay.Relay { return c.relay }

// Run serves the console until Finish has been called on its relay, and all that was
// printed is in the journal and with the clients. When it returns, nothing of the console
// runs any more.
func (c *Console) Run() error {
	c.mu.Lock()
	c.running = true
	for _, s := range c.slots {
		c.serve(s)
	}
	c.mu.Unlock()
	err := c.relay.Run()
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	return errors.Join(err, c.group.Wait())
}

// Abandon closes a console that is not run.
func (c *Console) Abandon() {
	for _, s := range c.slots {
		if s.endpoint != nil {
			s.endpoint.Close()
		}
	}
	c.relay.Abandon()
}

// Boot makes the console ready for a VM that is about to start, and returns the number of
// its boot. What was typed before is dropped.
func (c *Console) Boot() (int, error) {
	if err := c.DropInput(); err != nil {
		return 0, err
	}
	return c.relay.Boot()
}

// DropInput drops what was typed and no guest has read.
func (c *Console) DropInput() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs *multierror.Error
	for _, s := range c.slots {
		if input, ok := s.endpoint.(*endpoint.InFIFO); ok {
			errs = multierror.Append(errs, input.Drop())
		}
	}
	errs = multierror.Append(errs, c.relay.DropInput())
	return errs.ErrorOrNil()
}

// Endpoint is what accepts clients of a console; see package endpoint.
type Endpoint interface {
	Serve(ctx context.Context, r *relay.Relay) error
	// InPlace reports whether the endpoint still has its name.
	InPlace() bool
	// Close closes an endpoint that is not served.
	Close()
}

// qemuEndpoint is an Endpoint that a QEMU that was started by hand can have open, in place of
// the console's own FIFOs.
type qemuEndpoint interface {
	Endpoint
	Held() bool
}

// Slot is the place of an endpoint, which may be made again.
type Slot struct {
	// Name is what the status calls it: a path, or "localhost:4440".
	Name string
	// Optional is set for one that the console can do without: any error of Open is left
	// to Repair.
	Optional bool
	// Open makes the endpoint.
	Open func() (Endpoint, error)

	endpoint Endpoint // nil: it could not be made
	retire   context.CancelFunc
	err      error // why it could not be made
}

func (s *Slot) open() error {
	s.endpoint, s.err = s.Open()
	if s.err != nil {
		s.endpoint = nil // not a nil pointer of some type
	}
	return s.err
}

func (s *Slot) inPlace() bool { return s.endpoint != nil && s.endpoint.InPlace() }

// Add opens an endpoint before Run. An error about a file that is not ours is left to
// Repair. Any other is returned, and nothing is added.
func (c *Console) Add(s Slot) error {
	if err := s.open(); err != nil && !s.Optional && !errors.As(err, new(*rundir.ForeignError)) {
		return err
	}
	c.slots = append(c.slots, &s)
	return nil
}

// serve serves an endpoint, if there is one, once Run has begun. The caller holds the lock.
func (c *Console) serve(s *Slot) {
	if s.endpoint == nil || !c.running {
		return
	}
	var ctx context.Context
	ctx, s.retire = context.WithCancel(c.relay.Closing())
	endpoint := s.endpoint
	c.group.Go(func() error { return endpoint.Serve(ctx, c.relay) })
}

// Repair makes the endpoints again that are not in place: their names were removed, or
// lead to another file, or could not be had before. One that a QEMU has open by itself is
// left as it is: the QEMU would lose its ends.
func (c *Console) Repair() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.slots {
		if c.ended || s.inPlace() {
			continue
		}
		if e, ok := s.endpoint.(qemuEndpoint); !ok || !e.Held() {
			c.replace(s)
		}
	}
}

// replace makes an endpoint again. The caller holds the lock.
func (c *Console) replace(s *Slot) {
	switch {
	case s.retire != nil:
		s.retire()
		s.endpoint.InPlace() // it waits for a change of the name that is under way
	case s.endpoint != nil:
		s.endpoint.Close()
	}
	s.retire = nil
	_ = s.open() // Missing returns it
	c.serve(s)
}

// Missing is an endpoint that is not in place.
type Missing struct {
	Name string // of its Slot
	Err  error  // why it could not be made; nil: Repair makes it
}

// Missing returns the endpoints that are not in place.
func (c *Console) Missing() (missing []Missing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.slots {
		if !s.inPlace() {
			missing = append(missing, Missing{s.Name, s.err})
		}
	}
	return missing
}

// Package console is one console of a VM, or one channel of a persistent relay: its
// journal, its relay and its endpoints. Its owner holds a lock on its folder.
//
// Invariants:
//   - An endpoint whose name is taken by a foreign file is left out, and Repair tries again.
//     All other endpoints are served.
//   - When an endpoint is recreated, the clients of the old one stay connected.
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

// Config configures a console.
type Config struct {
	// Dir is the console's private folder. Open creates it if it does not exist.
	Dir string
	// Journal is the folder of the journal.
	Journal string
	// Retention limits the size of the journal.
	Retention journal.Retention
	// Relay has the relay's other settings. Its Dir and Journal are ignored.
	Relay relay.Config
}

// Console is an open console. The caller of Open adds endpoints with Add, then must call
// Run once, or Abandon.
type Console struct {
	relay *relay.Relay
	group errgroup.Group

	mu      sync.Mutex // held while endpoints are checked and created
	running bool       // Run has been called
	ended   bool       // endpoints are no longer served
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

// Run serves the console until Finish is called on its relay, all output is in the
// journal and the clients have read it. When Run returns, everything it started has
// ended.
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

// Abandon closes a console for which Run is not called.
func (c *Console) Abandon() {
	for _, s := range c.slots {
		if s.endpoint != nil {
			s.endpoint.Close()
		}
	}
	c.relay.Abandon()
}

// Boot prepares the console for a VM that is about to start, and returns the number of
// its boot. It discards pending input.
func (c *Console) Boot() (int, error) {
	if err := c.DropInput(); err != nil {
		return 0, err
	}
	return c.relay.Boot()
}

// DropInput discards input that the guest has not read.
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

// Endpoint accepts clients of a console; see package endpoint.
type Endpoint interface {
	Serve(ctx context.Context, r *relay.Relay) error
	// InPlace reports whether the endpoint still has its name.
	InPlace() bool
	// Close closes an endpoint that is not served.
	Close()
}

// qemuEndpoint is an Endpoint that a QEMU started by hand may open instead of the
// console's private FIFOs.
type qemuEndpoint interface {
	Endpoint
	Held() bool
}

// Slot describes an endpoint, which may be recreated.
type Slot struct {
	// Name is the endpoint's name in the status: a path, or "localhost:4440".
	Name string
	// Optional is set if the console can do without the endpoint: any error of Open is
	// left to Repair.
	Optional bool
	// Open creates the endpoint.
	Open func() (Endpoint, error)

	endpoint Endpoint // nil if it could not be created
	retire   context.CancelFunc
	err      error // of the last Open
}

func (s *Slot) open() error {
	s.endpoint, s.err = s.Open()
	if s.err != nil {
		s.endpoint = nil // not a typed nil pointer
	}
	return s.err
}

func (s *Slot) inPlace() bool { return s.endpoint != nil && s.endpoint.InPlace() }

// Add opens an endpoint before Run. It leaves an error about a foreign file to Repair. On
// any other error nothing is added.
func (c *Console) Add(s Slot) error {
	if err := s.open(); err != nil && !s.Optional && !errors.As(err, new(*rundir.ForeignError)) {
		return err
	}
	c.slots = append(c.slots, &s)
	return nil
}

// serve serves an endpoint that could be created, if Run has been called. The caller
// holds the lock.
func (c *Console) serve(s *Slot) {
	if s.endpoint == nil || !c.running {
		return
	}
	var ctx context.Context
	ctx, s.retire = context.WithCancel(c.relay.Closing())
	endpoint := s.endpoint
	c.group.Go(func() error { return endpoint.Serve(ctx, c.relay) })
}

// Repair recreates endpoints that are not in place: their names were removed, belong to
// another file, or could not be created before. It does not recreate one that a QEMU has
// open directly, because that QEMU would lose its connection.
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

// replace recreates an endpoint. The caller holds the lock.
func (c *Console) replace(s *Slot) {
	switch {
	case s.retire != nil:
		s.retire()
		s.endpoint.InPlace() // waits for a change of the name in progress
	case s.endpoint != nil:
		s.endpoint.Close()
	}
	s.retire = nil
	_ = s.open() // reported by Missing
	c.serve(s)
}

// Missing is an endpoint that is not in place.
type Missing struct {
	Name string // the Name of its Slot
	Err  error  // why it could not be created; nil if Repair has not tried yet
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

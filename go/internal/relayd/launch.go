package relayd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/ctl"
	"microvm-console/internal/rundir"
	"microvm-console/internal/state"
)

const (
	// startLimit is how long a relay that has its lock may take until it answers.
	startLimit = 5 * time.Second
	// again is the pause before a relay is asked again.
	again = 50 * time.Millisecond
)

// Lease is a launcher's hold on a channel, for a QEMU that is
// about to start.
type Lease struct {
	// Boot is the number of the boot that was marked.
	Boot int
	// Relay is the channel's relay as it was then.
	Relay state.Machine

	config Config
	dir    rundir.Channel
	lock   *os.File
	client ctl.Client
	out    *os.File // what QEMU prints to, kept

	own  *Channel // nil: a service serves the channel
	stop context.CancelFunc
	done chan error // what own's Run returned
}

// Attach takes the VM's lock of a channel and has its relay mark a boot. If no relay
// runs, the launcher carries one, until Leave. rundir.ErrVMAttached tells that a
// VM is attached. The caller hands Lock to QEMU. When that has ended, it calls AwaitDrained,
// EndBoot and Leave.
func Attach(ctx context.Context, config Config) (*Lease, error) {
	dir := rundir.OfChannel(config.Name)
	lock, err := dir.AcquireVM()
	if err != nil {
		return nil, err
	}
	s := &Lease{config: config, dir: dir, lock: lock, client: ctl.Client{Path: dir.Ctl()}}
	limit, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	err = s.join(limit, dir, config)
	if err == nil {
		err = s.keepOut()
	}
	if err != nil {
		return nil, errors.Join(err, s.Leave())
	}
	return s, nil
}

// join finds the channel's relay, or carries one, and has it mark a boot.
func (s *Lease) join(ctx context.Context, dir rundir.Channel, config Config) error {
	for {
		var err error
		if dir.Running() {
			err = s.ask(ctx)
		} else {
			err = s.carry(config)
		}
		// A relay that has just started does not answer yet, and one that has
		// just ended does not hold its lock any more.
		starting := errors.Is(err, ctl.ErrNoAnswer) || errors.Is(err, ctl.ErrEnding) || errors.Is(err, rundir.ErrLocked)
		if err == nil || !starting || ctx.Err() != nil {
			return err
		}
		time.Sleep(again)
	}
}

// ask asks the relay that runs.
func (s *Lease) ask(ctx context.Context) (err error) {
	if s.Boot, err = s.client.Boot(ctx); err != nil {
		return err
	}
	s.Relay, err = s.client.ChannelStatus(ctx)
	return err
}

// carry runs a relay here.
func (s *Lease) carry(config Config) error {
	own, err := Open(config)
	if err != nil {
		return err
	}
	if err := own.Trouble(); err != nil { // the user is there to mend it
		own.Abandon()
		return err
	}
	ctx, stop := context.WithCancel(context.Background()) // it ends after the QEMU does
	s.own, s.stop, s.done = own, stop, make(chan error, 1)
	go func() { s.done <- own.Run(ctx) }()
	s.Boot, err = own.Boot()
	s.Relay = own.Status()
	return err
}

// Carried tells whether the relay ends with Leave.
func (s *Lease) Carried() bool { return s.own != nil }

// Lock returns a copy of the VM's lock, for QEMU to inherit: it keeps the channel as long as
// it lives, and this process until Leave. The caller closes it.
func (s *Lease) Lock() (*os.File, error) {
	fd, err := unix.FcntlInt(s.lock.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", s.lock.Name(), err)
	}
	return os.NewFile(uintptr(fd), s.lock.Name()), nil
}

// Orders calls obey with each order of the relay, until ctx ends, also over the
// relay's restarts.
func (s *Lease) Orders(ctx context.Context, obey func(order string)) {
	if s.own != nil {
		orders := s.own.Orders(ctx)
		for {
			select {
			case order, more := <-orders:
				if !more {
					return
				}
				obey(order)
			case <-ctx.Done():
				return
			}
		}
	}
	for ctx.Err() == nil {
		_ = s.client.Orders(ctx, obey) // a relay that has ended comes again
		select {
		case <-time.After(again):
		case <-ctx.Done():
		}
	}
}

package relayd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"microvm-console/internal/ctl"
	"microvm-console/internal/descriptor"
	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
	"microvm-console/internal/state"
)

const (
	// startLimit is how long a relay that has its lock may take until it answers.
	startLimit = 5 * time.Second
	// retryPause is the pause before a relay is asked again.
	retryPause = 50 * time.Millisecond
	// drainLimit is how long a relay may take for what QEMU has left: 1 MiB at most.
	drainLimit = 5 * time.Second
)

// Lease is a launcher's hold on a channel, for a QEMU that is about to start.
type Lease struct {
	// Boot is the number of the boot that was marked.
	Boot int
	// Relay is the channel's relay as it was then.
	Relay state.Machine

	config Config
	dir    rundir.Channel
	lock   *rundir.Lock
	client ctl.Client
	out    *os.File // what QEMU prints to, kept

	own    *Channel // nil: a service serves the channel
	stop   context.CancelFunc
	served errgroup.Group // own's Run
}

// Attach takes the VM's lock of a channel and has its relay mark a boot. If no relay runs,
// one runs in this process until Leave. It returns rundir.ErrVMAttached if a VM is
// attached. The caller hands Lock to QEMU. When that has ended, it calls AwaitDrained, EndBoot
// and Leave.
func Attach(ctx context.Context, config Config) (*Lease, error) {
	dir := rundir.OfChannel(config.Name)
	lock, err := dir.AcquireVM()
	if err != nil {
		return nil, err
	}
	l := &Lease{config: config, dir: dir, lock: lock, client: ctl.Client{Path: dir.Ctl()}}
	limit, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := l.boot(limit); err != nil {
		return nil, errors.Join(err, l.Leave())
	}
	return l, nil
}

// boot has the channel's relay mark a boot, and starts one if none runs. It opens what QEMU
// prints to, so that its content outlives QEMU if the service is stopped: for reading only,
// since a process that has it open for both is taken for a QEMU.
func (l *Lease) boot(ctx context.Context) error {
	for {
		start := l.serve
		if l.dir.Running() {
			start = l.ask
		}
		err := start(ctx)
		if err == nil {
			l.out, err = os.OpenFile(relay.VMPath(l.dir.Path())+".out", os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
			return err
		}
		// A relay that has just started does not answer yet, and one that has just ended
		// does not hold its lock any more.
		starting := errors.Is(err, ctl.ErrNoAnswer) || errors.Is(err, ctl.ErrEnding) || errors.Is(err, rundir.ErrLocked)
		if !starting || ctx.Err() != nil {
			return err
		}
		pause(ctx, retryPause)
	}
}

// pause waits for a time, or until ctx ends.
func pause(ctx context.Context, length time.Duration) {
	select {
	case <-time.After(length):
	case <-ctx.Done():
	}
}

// ask asks the relay that runs.
func (l *Lease) ask(ctx context.Context) (err error) {
	if l.Boot, err = l.client.Boot(ctx); err != nil {
		return err
	}
	l.Relay, err = l.client.ChannelStatus(ctx)
	return err
}

// serve runs a relay in this process, and asks it.
func (l *Lease) serve(limit context.Context) error {
	own, err := Open(l.config)
	if err != nil {
		return err
	}
	if err := own.Trouble(); err != nil { // the user is there to repair it
		own.Abandon()
		return err
	}
	ctx, stop := context.WithCancel(context.Background()) // it ends after the QEMU does
	l.own, l.stop = own, stop
	l.served.Go(func() error { return own.Run(ctx) })
	return l.ask(limit)
}

// Carried reports whether the relay ends with Leave.
func (l *Lease) Carried() bool { return l.own != nil }

// Lock returns a copy of the VM's lock, for QEMU to inherit: it keeps the channel as long as
// it lives, and this process until Leave. The caller closes it.
func (l *Lease) Lock() (*os.File, error) { return l.lock.Inherit() }

// Unread returns how many bytes QEMU has printed that are not in the journal yet.
func (l *Lease) Unread() int { return descriptor.Unread(l.out) }

// Orders calls handle with each order of the relay, until ctx ends, also over the relay's
// restarts.
func (l *Lease) Orders(ctx context.Context, handle func(order string)) {
	for ctx.Err() == nil {
		_ = l.client.Orders(ctx, handle) // a relay that has ended comes again
		pause(ctx, retryPause)
	}
}

// EndBoot records how the boot has ended; see journal.Journal.EndBoot. An error costs
// nothing but this record.
func (l *Lease) EndBoot(ctx context.Context, how string) error {
	err := l.client.EndBoot(ctx, how)
	if err != nil && !l.dir.Running() { // its service was stopped meanwhile
		return l.stepIn(func(own *Channel) { own.console.Relay().EndBoot(how) })
	}
	return err
}

// NoteRestart records that the guest has restarted by itself. An error costs nothing but
// this record.
func (l *Lease) NoteRestart(ctx context.Context) error { return l.client.NoteRestart(ctx) }

// Leave gives up the channel, unless a QEMU has it, once all that was printed is in the
// journal. A relay that runs here ends, once its clients have all.
func (l *Lease) Leave() error {
	defer l.lock.Close()
	defer l.out.Close() // also if it is nil
	var err error
	switch {
	case l.own != nil:
		l.lock.Close() // the relay sees the VM leave
		l.stop()
		err = l.served.Wait()
	case l.out != nil:
		err = l.AwaitDrained()
	}
	if err != nil {
		return fmt.Errorf("relay: %w", err)
	}
	return nil
}

// AwaitDrained waits until all that QEMU has printed is in the journal, and takes it there
// if the channel's relay was stopped meanwhile. A splice holds the pipe until the bytes are
// in the file: an empty pipe is a journal that has all. The kernel does not report that a
// pipe is empty.
func (l *Lease) AwaitDrained() error {
	for deadline := time.Now().Add(drainLimit); ; time.Sleep(time.Millisecond) {
		left := l.Unread()
		switch {
		case left == 0:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("channel %q: it has not taken the last %d bytes yet (see qemu-relay status)", l.dir.Name(), left)
		case l.dir.Running():
			continue
		}
		if err := l.stepIn(func(*Channel) {}); err != nil && !errors.Is(err, rundir.ErrLocked) {
			return err
		}
	}
}

// stepIn runs a relay in place of a service that was stopped, until all is taken. It calls
// first before.
func (l *Lease) stepIn(first func(*Channel)) error {
	own, err := Open(l.config)
	if err != nil {
		return err
	}
	first(own)
	ended, end := context.WithCancel(context.Background())
	end()
	return own.Run(ended)
}

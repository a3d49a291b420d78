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
	// startLimit is how long a relay that holds its lock may take to respond.
	startLimit = 5 * time.Second
	// retryPause is the pause before another request to a relay.
	retryPause = 50 * time.Millisecond
	// drainLimit is how long a relay may take for the rest of QEMU's output, at most 1
	// MiB.
	drainLimit = 5 * time.Second
)

// Lease reserves a channel for a QEMU that is about to start.
type Lease struct {
	// Boot is the number of the boot that Attach has begun.
	Boot int
	// Relay is the status of the channel's relay at that time.
	Relay state.Machine

	config Config
	dir    rundir.Channel
	lock   *rundir.Lock
	client ctl.Client
	out    *os.File // the FIFO that QEMU prints to, open for reading

	own    *Channel // nil if a service serves the channel
	stop   context.CancelFunc
	served errgroup.Group // the Run of own
}

// Attach takes the VM lock of a channel and makes its relay begin a boot. If no relay is
// running, Attach runs one in this process until Leave. It returns rundir.ErrVMAttached
// if a VM is attached. The caller passes Lock to QEMU. When QEMU has ended, the caller
// must call AwaitDrained, EndBoot and Leave.
func Attach(ctx context.Context, config Config) (*Lease, error) {
	return attach(ctx, config, startLimit)
}

// attach is Attach, with the time that a running relay may take to answer.
func attach(ctx context.Context, config Config, answerLimit time.Duration) (*Lease, error) {
	dir := rundir.OfChannel(config.Name)
	lock, err := dir.AcquireVM()
	if err != nil {
		return nil, err
	}
	l := &Lease{config: config, dir: dir, lock: lock, client: ctl.Client{Path: dir.Ctl()}}
	limit, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	if err := l.boot(limit); err != nil {
		if limit.Err() != nil && ctx.Err() == nil && (errors.Is(err, ctl.ErrNoAnswer) || errors.Is(err, context.DeadlineExceeded)) {
			err = &silentError{config.Name, answerLimit}
		}
		return nil, errors.Join(err, l.Leave())
	}
	return l, nil
}

// silentError is returned if the relay of a channel does not answer in time. It matches
// context.DeadlineExceeded.
type silentError struct {
	channel string
	limit   time.Duration
}

func (e *silentError) Error() string {
	return fmt.Sprintf("channel %q: the relay did not answer within %v (try again; qemu-relay status shows it)", e.channel, e.limit)
}

// Is reports whether target is context.DeadlineExceeded.
func (e *silentError) Is(target error) bool { return target == context.DeadlineExceeded }

// boot makes the channel's relay begin a boot, and starts a relay if none is running. It
// opens the FIFO that QEMU prints to, so that the content survives QEMU if the service is
// stopped. It opens the FIFO for reading only, because a process that has it open for
// both reading and writing is considered a QEMU.
func (l *Lease) boot(ctx context.Context) error {
	for {
		start := l.serve
		if l.dir.Running() {
			start = l.request
		}
		err := start(ctx)
		if err == nil {
			l.out, err = os.OpenFile(relay.VMPath(l.dir.Path())+".out", os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
			return err
		}
		// A relay that has just started does not respond yet, and one that is ending may
		// release its lock at any time.
		starting := errors.Is(err, ctl.ErrNoAnswer) || errors.Is(err, ctl.ErrEnding) || errors.Is(err, rundir.ErrLocked)
		if !starting || ctx.Err() != nil {
			return err
		}
		pause(ctx, retryPause)
	}
}

// pause waits for length, or until ctx is done.
func pause(ctx context.Context, length time.Duration) {
	select {
	case <-time.After(length):
	case <-ctx.Done():
	}
}

// request begins a boot at the running relay and gets its status.
func (l *Lease) request(ctx context.Context) (err error) {
	if l.Boot, err = l.client.Boot(ctx); err != nil {
		return err
	}
	l.Relay, err = l.client.ChannelStatus(ctx)
	return err
}

// serve runs a relay in this process and begins a boot there.
func (l *Lease) serve(limit context.Context) error {
	own, err := Open(l.config)
	if err != nil {
		return err
	}
	if err := own.Trouble(); err != nil { // a user is present who can fix it
		own.Abandon()
		return err
	}
	ctx, stop := context.WithCancel(context.Background()) // canceled by Leave, after QEMU has ended
	l.own, l.stop = own, stop
	l.served.Go(func() error { return own.Run(ctx) })
	return l.request(limit)
}

// InProcess reports whether the relay runs in this process and ends with Leave.
func (l *Lease) InProcess() bool { return l.own != nil }

// Lock returns a copy of the VM lock for QEMU to inherit. The channel stays locked until
// QEMU has ended and Leave has been called. The caller must close the file.
func (l *Lease) Lock() (*os.File, error) { return l.lock.Inherit() }

// Unread returns the number of bytes that QEMU has printed and that are not in the
// journal yet.
func (l *Lease) Unread() int { return descriptor.Unread(l.out) }

// Orders calls handle with each request of the relay to the launcher, until ctx is done.
// It reconnects when the relay restarts.
func (l *Lease) Orders(ctx context.Context, handle func(order string)) {
	for ctx.Err() == nil {
		_ = l.client.Orders(ctx, handle) // the relay may be restarting
		pause(ctx, retryPause)
	}
}

// EndBoot records how the boot has ended; see journal.Journal.EndBoot. On error, only
// this record is missing.
func (l *Lease) EndBoot(ctx context.Context, how string) error {
	err := l.client.EndBoot(ctx, how)
	if err != nil && !l.dir.Running() { // the service was stopped meanwhile
		return l.stepIn(func(own *Channel) { own.console.Relay().EndBoot(how) })
	}
	return err
}

// NoteRestart records that the guest has restarted by itself. On error, only this record
// is missing.
func (l *Lease) NoteRestart(ctx context.Context) error { return l.client.NoteRestart(ctx) }

// Leave waits until all output is in the journal, and releases the channel, unless a QEMU
// still holds its lock. A relay in this process ends once its clients have read
// everything.
func (l *Lease) Leave() error {
	defer l.lock.Close()
	defer l.out.Close() // has no effect if nil
	var err error
	switch {
	case l.own != nil:
		l.lock.Close() // the relay notices that the VM has gone
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

// AwaitDrained waits until all of QEMU's output is in the journal. If the channel's relay
// was stopped meanwhile, it moves the output there itself. An empty pipe means that the
// journal has everything, because splice(2) holds the pipe until the bytes are in the
// file. The kernel does not report when a pipe becomes empty, so AwaitDrained polls.
func (l *Lease) AwaitDrained() error {
	for deadline := time.Now().Add(drainLimit); ; time.Sleep(time.Millisecond) {
		left := l.Unread()
		switch {
		case left == 0:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("channel %q: the relay has not stored the last %d bytes of QEMU's output yet (check it with qemu-relay status)", l.dir.Name(), left)
		case l.dir.Running():
			continue
		}
		if err := l.stepIn(func(*Channel) {}); err != nil && !errors.Is(err, rundir.ErrLocked) {
			return err
		}
	}
}

// stepIn runs a relay in place of a stopped service until it has taken all output. It
// calls first before.
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

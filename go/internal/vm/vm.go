// Package vm owns one machine: it starts QEMU, watches it, and stops it.
//
// Invariants: QEMU never outlives the process that started it, whatever ends
// that; nothing of a machine is left behind when Run has returned; nothing
// that this machine did not start is ever stopped. One owner speaks QEMU's
// monitor protocol: the VM. Everybody else asks its control socket.
package vm

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-multierror"
	"golang.org/x/sync/errgroup"

	"microvm-console/internal/console"
	"microvm-console/internal/ctl"
	"microvm-console/internal/ctl/server"
	"microvm-console/internal/guard"
	"microvm-console/internal/guest"
	"microvm-console/internal/guestagent"
	"microvm-console/internal/plaintext"
	"microvm-console/internal/process"
	"microvm-console/internal/qemu"
	"microvm-console/internal/qmp"
	"microvm-console/internal/rundir"
	"microvm-console/internal/unixsock"
	"microvm-console/internal/vmconfig"
)

// Options are what a start decides beyond vm.json.
type Options struct {
	// QEMUArgs are added behind all others.
	QEMUArgs []string
	// AutoPorts replaces a port that is taken by a free one.
	AutoPorts bool
	// NoRelay has QEMU serve the consoles' ports itself: to one client at a
	// time, and without a journal.
	NoRelay bool
	// JournalDir gives the folder of a console's journal. nil: that of
	// rundir.Machine.Journal.
	JournalDir func(console string) (string, error)
	// Silence is how long the consoles may print nothing after QEMU's start
	// before that is told. 0: 10 s.
	Silence time.Duration
	// Log is called with each line that the user should read: printable characters
	// alone (package plaintext). nil for none.
	Log func(line string)
}

// VM is one machine. New makes it, Run runs it once.
type VM struct {
	machine vmconfig.Machine
	options Options
	dir     rundir.Machine
	lock    *rundir.Lock // from Run on
	guest   *guest.Guest
	record  *record
	events  *events
	windows *windows
	stop    *stopping

	ready chan struct{} // closed when QEMU runs and its ports are open
	ended chan struct{} // closed when QEMU has ended, or will not start
	over  chan struct{} // closed when Run returns
	execs atomic.Int64  // commands under way in the guest

	relayed errgroup.Group // runs the consoles
	qemu    *launched

	mu       sync.Mutex
	consoles []*console.Console // none with NoRelay
	tcp      []*guard.Port      // of the consoles that have a relay
	shutdown shutdown           // what QEMU said last about its end
	panicked bool               // QEMU has reported a panic
	cause    *guest.Error       // of a guest that ended unasked
}

// launched is QEMU and what watches it. Its fields are set while the machine starts, and
// read once VM.ready is closed.
type launched struct {
	process  *process.Process
	monitor  *qmp.Client
	agent    *guestagent.Client // every request fails if the guest has none
	taps     []*tap             // of the consoles
	warnings *warnings          // what QEMU writes to its standard error
	line     string             // see Command
}

// New returns the machine m, not yet started. m must be valid.
func New(m vmconfig.Machine, options Options) *VM {
	log := options.Log
	if log == nil {
		log = func(string) {}
	}
	// A guest's words may be in a line, and it goes to a terminal.
	options.Log = func(line string) { log(plaintext.Line(line)) }
	if options.Silence == 0 {
		options.Silence = silence
	}
	v := &VM{
		machine: m,
		options: options,
		dir:     rundir.Of(m.Name),
		guest:   newGuest(m),
		events:  newEvents(),
		windows: newWindows(),
		stop:    &stopping{hurry: make(chan struct{})},
		qemu:    &launched{warnings: newWarnings(m.QEMU)},
		ready:   make(chan struct{}),
		ended:   make(chan struct{}),
		over:    make(chan struct{}),
	}
	v.record = newRecord(v.dir.State(), options.Log, v.guest, m.Name)
	if options.JournalDir == nil {
		v.options.JournalDir = v.dir.Journal
	}
	v.showConsoles()
	return v
}

func newGuest(m vmconfig.Machine) *guest.Guest {
	consoles := make([]guest.Console, len(m.Consoles))
	for i, console := range m.Consoles {
		consoles[i] = guest.Console{Device: console.Device, Login: console.HasLogin()}
	}
	return guest.New(consoles)
}

// Ready is closed when QEMU runs and its ports are open. It says nothing about
// the guest.
func (v *VM) Ready() <-chan struct{} { return v.ready }

// Finished is closed when Run returns.
func (v *VM) Finished() <-chan struct{} { return v.over }

// Run starts the machine and returns when it has ended and nothing of it is
// left. It is nil where the guest, or a stop, ended it; a *guest.Error if
// the guest has ended unasked; rundir.ErrLocked where another process runs a machine
// of this name. When ctx ends, the machine is stopped as by Stop.
func (v *VM) Run(ctx context.Context) error {
	defer close(v.over)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	v.startable(cancel)
	lock, err := v.dir.Acquire()
	if err != nil {
		close(v.ended)
		return err
	}
	v.lock = lock
	listener, err := unixsock.Listen(v.dir.Ctl())
	if err != nil {
		close(v.ended)
		return multierror.Append(err, lock.Release()).ErrorOrNil()
	}
	serving, quiet := context.WithCancel(context.WithoutCancel(ctx))
	var group errgroup.Group
	group.Go(func() error { return server.Serve(serving, listener, v.handlers()) })
	group.Go(func() error {
		v.dir.KeepTouched(serving)
		return nil
	})
	err = v.run(ctx)
	if errors.Is(err, errAbandoned) {
		v.options.Log("ended: " + err.Error())
		err = nil
	}
	close(v.ended)
	quiet()
	return joined(err, group.Wait(), lock.Release())
}

// joined is the first error alone where the clean-up went well, so that it
// stays one line.
func joined(err error, cleanup ...error) error {
	if errors.Join(cleanup...) == nil {
		return err
	}
	return multierror.Append(err, cleanup...).ErrorOrNil()
}

// run starts QEMU and stays until it has ended, and the relays with it.
func (v *VM) run(ctx context.Context) error {
	host, err := v.plan(ctx)
	if err == nil {
		err = v.runQEMU(ctx, host)
	}
	v.finishConsoles()
	if ended := v.relayed.Wait(); ended != nil {
		return joined(ended, err)
	}
	return err
}

// runQEMU starts QEMU and stays until it has ended.
func (v *VM) runQEMU(ctx context.Context, host qemu.Host) error {
	watchers, err := v.start(ctx, host)
	if err != nil {
		return err
	}
	select {
	case <-v.qemu.process.Done():
	case <-ctx.Done():
		v.options.Log("stopping the guest (Ctrl-C again ends it at once)")
		// The report is for those who ask for a stop; here QEMU's end is all.
		_, _ = v.Stop(context.WithoutCancel(ctx), ctl.StopRequest{})
		v.qemu.process.Kill()
	}
	if err := v.settled(watchers); err != nil {
		return joined(err, v.result())
	}
	return v.result()
}

// settled waits for those who watch a QEMU that has ended: its end closes its
// descriptors, and that of the relays the journals, and so ends them.
func (v *VM) settled(watchers *errgroup.Group) error {
	<-v.qemu.process.Done()
	ended := v.endHeirs() // they may have inherited the other ends too
	v.qemu.agent.Close()
	v.finishConsoles()
	defer v.record.noteMore()
	return joined(ended, watchers.Wait())
}

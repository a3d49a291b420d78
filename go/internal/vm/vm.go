// Package vm owns one VM: it starts QEMU, watches it, and stops it.
//
// Invariants: QEMU never outlives the process that started it, whatever ends that; nothing
// of a VM is left when Run has returned; nothing that this VM did not start is ever
// stopped. Only the VM speaks QEMU's monitor protocol. Other processes ask its control
// socket.
package vm

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-multierror"
	"golang.org/x/sync/errgroup"

	"microvm-console/internal/ctl"
	"microvm-console/internal/ctl/server"
	"microvm-console/internal/guest"
	"microvm-console/internal/plaintext"
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
	// NoRelay has QEMU serve the consoles' ports itself: to one client at a time, and
	// without a journal.
	NoRelay bool
	// JournalDir returns the folder of a console's journal. nil: rundir.Machine.Journal.
	JournalDir func(console string) (string, error)
	// Silence is how long the consoles may print nothing after QEMU's start before there is
	// a note. 0: 10 s.
	Silence time.Duration
	// Log is called with each line that the user should read: printable characters only
	// (package plaintext). nil: it is not called.
	Log func(line string)
	// Verbose adds lines to Log: why the accelerator was chosen, and what each stage of a
	// stop has done.
	Verbose bool
}

// VM is one VM. New makes it, Run runs it once.
type VM struct {
	machine   vmconfig.Machine // with the ports in use, once the VM has started
	autoPorts bool             // see Options
	dir       rundir.Machine
	lock      *rundir.Lock // from Run on
	guest     *guest.Guest
	record    *record
	consoles  *consoles
	outputs   *outputs
	windows   *windows
	watcher   *watcher
	qemu      *qemuProcess
	stop      *stopper

	executing atomic.Int64 // commands under way in the guest

	ready    chan struct{} // closed when QEMU runs and its ports are open
	ended    chan struct{} // closed when it is known how QEMU has ended, or that it does not start
	finished chan struct{} // closed when Run returns

	cause *guest.Error // of a guest that has ended unasked; read once ended is closed
}

// New returns the VM of m, not yet started. m must be valid.
func New(m vmconfig.Machine, options Options) *VM {
	options, dir := options.complete(m), rundir.Of(m.Name)
	v := &VM{
		machine:   m,
		autoPorts: options.AutoPorts,
		dir:       dir,
		guest:     newGuest(m),
		qemu:      newQEMU(m, options.QEMUArgs),
		stop:      &stopper{forced: make(chan struct{})},
		ready:     make(chan struct{}),
		ended:     make(chan struct{}),
		finished:  make(chan struct{}),
	}
	v.record = newRecord(dir.State(), options, v.guest, m.Name)
	v.record.setConsoles(m.Consoles)
	v.windows = newWindows(v.guest)
	v.outputs = &outputs{guest: v.guest}
	v.consoles = &consoles{
		declared: m.Consoles, dir: dir, journalDir: options.JournalDir, noRelay: options.NoRelay,
		refused: v.record.noteLimited, seatMoved: func() { notify(v.windows.changed) },
	}
	v.watcher = &watcher{
		qemu: v.qemu, guest: v.guest, record: v.record, consoles: v.consoles, outputs: v.outputs, windows: v.windows,
		events: newEvents(v.guest, v.outputs, v.windows), silence: options.Silence,
	}
	return v
}

// complete returns the options with what is left alone filled in.
func (o Options) complete(m vmconfig.Machine) Options {
	log := o.Log
	if log == nil {
		log = func(string) {}
	}
	// A guest's words may be in a line, and it goes to a terminal.
	o.Log = func(line string) { log(plaintext.Line(line)) }
	if o.Silence == 0 {
		o.Silence = silenceLimit
	}
	if o.JournalDir == nil {
		o.JournalDir = rundir.Of(m.Name).Journal
	}
	return o
}

func newGuest(m vmconfig.Machine) *guest.Guest {
	consoles := make([]guest.Console, len(m.Consoles))
	for i, console := range m.Consoles {
		consoles[i] = guest.Console{Device: console.Device, Login: console.HasLogin()}
	}
	return guest.New(consoles)
}

// Ready is closed when QEMU runs and its ports are open, whatever the guest does.
func (v *VM) Ready() <-chan struct{} { return v.ready }

// Finished is closed when Run returns.
func (v *VM) Finished() <-chan struct{} { return v.finished }

// Run starts the VM and returns when it has ended and nothing of it is left. The error is
// nil if the guest, or a stop, has ended it; a *guest.Error if the guest has ended unasked;
// rundir.ErrLocked if another process runs a VM of this name. When ctx ends, the VM is
// stopped as by Stop.
func (v *VM) Run(ctx context.Context) error {
	defer close(v.finished)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	v.stop.startBy(cancel)
	lock, err := v.dir.Acquire()
	if err != nil {
		close(v.ended)
		return err
	}
	v.lock = lock
	listener, err := unixsock.Listen(v.dir.Ctl())
	if err != nil {
		close(v.ended)
		return joined(err, lock.Release())
	}
	serving, quiet := context.WithCancel(context.WithoutCancel(ctx))
	var group errgroup.Group
	group.Go(func() error { return server.Serve(serving, listener, v.handlers()) })
	group.Go(func() error {
		v.dir.KeepTouched(serving)
		return nil
	})
	err = v.run(ctx)
	quiet()
	return joined(err, group.Wait(), lock.Release())
}

// run starts QEMU and returns when QEMU and the consoles have ended.
func (v *VM) run(ctx context.Context) error {
	err := v.start(ctx)
	if err == nil {
		v.awaitEnd(ctx)
	}
	watched := v.awaitWatchers()
	end := v.howEnded(err)
	v.cause = end.cause
	_ = v.record.end(end.how()) // the journals have it too
	close(v.ended)
	v.consoles.finish(end.how())
	read, relayed := v.outputs.group.Wait(), v.consoles.group.Wait()
	v.record.noteMore()
	if end.err() == nil {
		v.record.log("ended: " + end.line())
	}
	return joined(end.err(), watched, read, relayed)
}

// awaitEnd returns when QEMU has ended. It stops the VM when ctx ends.
func (v *VM) awaitEnd(ctx context.Context) {
	select {
	case <-v.qemu.done():
	case <-ctx.Done():
		v.record.log("stopping the guest (Ctrl-C again ends it at once)")
		// The report is in the log, and QEMU's end is all that counts here.
		_, _ = v.Stop(context.WithoutCancel(ctx), ctl.StopRequest{})
		v.qemu.process.Kill()
	}
}

// awaitWatchers returns when all is known of a QEMU that has ended, or is about to: its last
// events, and what the consoles have printed.
func (v *VM) awaitWatchers() error {
	if v.qemu.process == nil {
		return nil // it was not started
	}
	<-v.qemu.done()
	err := killHeirs(v.lock) // they may have inherited QEMU's ends of the connections
	v.qemu.agent.Close()
	watched := v.qemu.group.Wait()
	v.outputs.awaitRead()
	v.watcher.noteRestarts() // the last may have come with QEMU's end
	return joined(err, watched)
}

// joined returns all errors as one; a single one as it is, so that its text stays one line.
func joined(errs ...error) error {
	all := multierror.Append(nil, errs...)
	if len(all.Errors) == 1 {
		return all.Errors[0]
	}
	return all.ErrorOrNil()
}

// Package vm runs one VM: it starts QEMU, watches it, and stops it.
//
// Invariants: QEMU never outlives the process that started it, however that process ends; no
// process, file or port of a VM is left once Run has returned; a VM never stops a process that
// it did not start. Only the VM uses QEMU's monitor protocol. Other processes use the VM's
// control socket.
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

// Options are the settings of a start that are not in vm.json.
type Options struct {
	// QEMUArgs follow all other arguments of QEMU.
	QEMUArgs []string
	// AutoPorts replaces each port that is in use by a free one.
	AutoPorts bool
	// GDB serves gdb as the field gdb of vm.json does, and starts the VM paused, until gdb
	// continues it.
	GDB bool
	// NoTCP opens no TCP port, except those of consoles that every user of the host may use
	// (vmconfig.Console.Shared).
	NoTCP bool
	// NoRelay makes QEMU serve the consoles' ports itself, to one client at a time and without
	// a journal.
	NoRelay bool
	// ScratchDir, if set, keeps the VM from changing disks: those with a path are snapshots, and
	// the VM's own disks are new files in this directory, which are removed once QEMU has opened
	// them. Default: the VM's own disks are those of rundir.Machine.Disk.
	ScratchDir string
	// JournalDir returns the directory of a console's journal. Default: rundir.Machine.Journal.
	JournalDir func(console string) (string, error)
	// WriteInitrd makes the guest's initramfs at the start. Default: that of vm.json is used.
	WriteInitrd WriteInitrd
	// Silence is the time after QEMU's start after which a note says that no console has
	// printed anything. Default: 10 s.
	Silence time.Duration
	// FailOnReset ends the VM if the guest restarts and its kernel has not announced it; see
	// guest.Guest.CheckRestart.
	FailOnReset bool
	// Observer gets the output of the consoles, and the restarts.
	Observer Observer
	// Dump adds the guest's memory to the crash bundle of a machine that collects.
	Dump bool
	// Log is called with each line for the user, which has printable characters only (package
	// plaintext). May be nil.
	Log func(line string)
	// Verbose adds lines to Log: why the accelerator was chosen, and what each stage of a
	// stop has done.
	Verbose bool
}

// Observer gets the output of the consoles of a VM, by their index in vm.json, from the first byte
// of the boot on, as it comes. Each function may be nil. Run returns after the last call. Calls for
// one console follow each other; those for several consoles are concurrent.
type Observer struct {
	// Printed is called with output; data is valid until it returns.
	Printed func(i int, data []byte)
	// Missing is called where bytes are missing; see journal.Missing.
	Missing func(i int, err error)
	// Restarted is called after a restart of the guest that does not end the VM.
	Restarted func()
}

// WriteInitrd writes an initramfs to a new file, which the VM removes at its end. m is the VM with
// what its start has decided, and machineType is QEMU's machine type.
type WriteInitrd func(file string, m vmconfig.Machine, machineType string) error

// VM is a virtual machine run by this process. New creates it, and Run runs it once.
type VM struct {
	machine   vmconfig.Machine // with the ports in use once the VM has started
	autoPorts bool             // see Options
	initrd    WriteInitrd      // see Options
	silence   time.Duration    // see Options
	dir       rundir.Machine
	disks     *disks
	guest     *guest.Guest
	record    *record
	consoles  *consoles
	outputs   *outputs
	windows   *windows
	watcher   *watcher
	qemu      *qemuProcess
	shares    *shares
	stop      *stopper

	executing atomic.Int64 // number of commands that run in the guest

	ready    chan struct{} // closed when QEMU runs and its ports are open
	ended    chan struct{} // closed when the end of QEMU, or of a failed start, is known
	finished chan struct{} // closed when Run returns

	cause *guest.Error // of a guest that ended without a stop; read after ended is closed
}

// New returns a VM for m. m must be valid. New does not start it.
func New(m vmconfig.Machine, options Options) *VM {
	options, dir := options.complete(m), rundir.Of(m.Name)
	if options.ScratchDir != "" {
		m = m.WithoutChanges()
	}
	if options.NoTCP {
		m.Consoles = withoutPorts(m.Consoles)
	}
	v := &VM{
		machine:   m,
		autoPorts: options.AutoPorts,
		initrd:    options.WriteInitrd,
		silence:   options.Silence,
		dir:       dir,
		disks:     newDisks(m, options.ScratchDir),
		guest:     newGuest(m),
		qemu:      newQEMU(m, options.QEMUArgs),
		shares:    &shares{},
		stop:      &stopper{forced: make(chan struct{})},
		ready:     make(chan struct{}),
		ended:     make(chan struct{}),
		finished:  make(chan struct{}),
	}
	if m.GDB || options.GDB {
		v.qemu.gdb = gdbServer{dir.GDB(), options.GDB}
	}
	v.record = newRecord(dir.State(), options, v.guest, m.Name)
	v.record.setConsoles(m.Consoles)
	v.windows = newWindows(v.guest)
	v.outputs = &outputs{guest: v.guest, observer: options.Observer, note: v.record.noteLimited}
	v.consoles = &consoles{
		declared: m.Consoles, dir: dir, journalDir: options.JournalDir, noRelay: options.NoRelay,
		refused: v.record.noteLimited, seatMoved: func() { notify(v.windows.changed) },
	}
	v.watcher = &watcher{
		qemu: v.qemu, guest: v.guest, record: v.record, consoles: v.consoles, outputs: v.outputs,
		events:    newEvents(v.guest, v.outputs, v.windows, v.qemu.keeps),
		collector: &collector{vm: v, dump: options.Dump}, strict: options.FailOnReset, onRestart: options.Observer.Restarted,
	}
	return v
}

// complete returns the options with their defaults.
func (o Options) complete(m vmconfig.Machine) Options {
	log := o.Log
	if log == nil {
		log = func(string) {}
	}
	// A line may quote the guest, and is printed to a terminal.
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

// Ready returns a channel that is closed when QEMU runs and the ports are open, whatever the
// state of the guest.
func (v *VM) Ready() <-chan struct{} { return v.ready }

// Finished returns a channel that is closed when Run returns.
func (v *VM) Finished() <-chan struct{} { return v.finished }

// Run starts the VM and returns when the VM has ended and nothing of it is left. It returns nil
// if the guest powered off or was stopped, a *guest.Error if the guest failed, and
// rundir.ErrLocked if another process runs a VM of this name. When ctx ends, Run stops the VM
// as Stop does.
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
	listener, err := unixsock.ListenMode(v.dir.Ctl(), v.dir.Mode(0o600))
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
	err = v.run(ctx, lock)
	quiet()
	return joined(err, group.Wait(), lock.Release())
}

// run starts QEMU, which inherits lock, and returns when QEMU and the consoles have ended.
func (v *VM) run(ctx context.Context, lock *rundir.Lock) error {
	err := v.start(ctx, lock)
	if err == nil {
		v.awaitEnd(ctx)
	}
	watched := v.awaitWatchers(lock)
	v.shares.end()
	end := v.howEnded(err)
	v.cause = end.cause
	_ = v.record.end(end.how()) // the journals record it too
	close(v.ended)
	v.consoles.finish(end.how())
	read, relayed := v.outputs.group.Wait(), v.consoles.group.Wait()
	v.record.noteMore()
	if end.err() == nil {
		v.record.log("ended: " + end.line())
	}
	return joined(end.err(), watched, read, relayed)
}

// awaitEnd waits until QEMU has ended. It stops the VM when ctx ends.
func (v *VM) awaitEnd(ctx context.Context) {
	select {
	case <-v.qemu.done():
	case <-ctx.Done():
		v.record.log("stopping the guest (press Ctrl-C again to end it at once)")
		// The report is logged later; here only the end of QEMU matters.
		_, _ = v.Stop(context.WithoutCancel(ctx), ctl.StopRequest{})
		v.qemu.process.Kill()
	}
}

// awaitWatchers waits until QEMU has ended, and its last events and all output of the consoles
// have been processed.
func (v *VM) awaitWatchers(lock *rundir.Lock) error {
	if v.qemu.process == nil {
		return nil // QEMU was not started
	}
	<-v.qemu.done()
	err := killOtherHolders(lock) // they may hold QEMU's ends of the connections
	v.qemu.agent.Close()
	watched := v.qemu.group.Wait()
	v.outputs.awaitRead()
	v.watcher.checkLast()
	return joined(err, watched)
}

// joined returns errs as one error. A single error is returned unchanged, so that its text stays
// on one line.
func joined(errs ...error) error {
	all := multierror.Append(nil, errs...)
	if len(all.Errors) == 1 {
		return all.Errors[0]
	}
	return all.ErrorOrNil()
}

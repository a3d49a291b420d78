package vm

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"microvm-console/internal/guestagent"
	"microvm-console/internal/process"
	"microvm-console/internal/qemu"
	"microvm-console/internal/qmp"
	"microvm-console/internal/rundir"
	"microvm-console/internal/vmconfig"
)

// askLimit bounds one request to the monitor, so that a QEMU that hangs does not block its
// callers.
const askLimit = 2 * time.Second

// File descriptors that QEMU inherits: its ends of two sockets, the VM's lock, with NoRelay a
// pipe for each console, and last gdb's socket, if any.
const (
	monitorFD = 3
	agentFD   = 4
	lockFD    = 5
	pipesFD   = 6
)

// qemuProcess is QEMU and the connections to it. Its fields are set during the start, and read
// after VM.ready is closed.
type qemuProcess struct {
	process  *process.Process
	monitor  *qmp.Client
	agent    *guestagent.Client // its requests fail if the guest has no agent
	warnings *warnings          // QEMU's standard error
	group    errgroup.Group     // the goroutines that end with QEMU
	extra    []string           // the user's arguments, which come last
	sandbox  bool
	kvm      bool
	linux    bool // QEMU starts a Linux kernel
	keeps    bool // QEMU keeps the guest paused when it fails, restarts or powers off; see qemu.Control
	gdb      gdbServer
	reserved []io.Closer // hold the ports of forwards until QEMU's start
	line     string      // see VM.Command
}

// newQEMU returns the QEMU of a machine, not started. extra are added after all other arguments.
func newQEMU(m vmconfig.Machine, extra []string) *qemuProcess {
	return &qemuProcess{warnings: newWarnings(m.QEMU), extra: extra, sandbox: m.Sandbox, keeps: m.Collect}
}

// argv returns QEMU's command line. pipes is the number of pipes that QEMU inherits.
func (q *qemuProcess) argv(m vmconfig.Machine, host qemu.Host, pipes int) []string {
	numbers := make([]int, pipes)
	for i := range numbers {
		numbers[i] = pipesFD + i
	}
	argv := qemu.Args(m, host)
	q.line = qemu.Shell(slices.Concat(argv, q.gdb.args(0), q.extra))
	q.kvm, q.linux = host.Accel == "kvm", host.Boot.Linux()
	argv = slices.Concat(argv, q.gdb.args(pipesFD+pipes), qemu.Bound(host), qemu.Control(m, monitorFD, numbers))
	if !qemu.HasAgent(m.QEMUArgs) && !qemu.HasAgent(q.extra) {
		argv = append(argv, qemu.Agent(m, host, agentFD)...)
	}
	return append(argv, q.extra...)
}

// start starts QEMU with argv, and reads from its monitor and the agent's port until QEMU has
// ended. QEMU inherits the lock and files, from pipesFD on; start closes files. It calls events
// with QEMU's events.
func (q *qemuProcess) start(argv []string, lock *rundir.Lock, files []*os.File, events func(qmp.Event)) (err error) {
	var ours []net.Conn   // to the monitor and the agent
	var theirs []*os.File // monitorFD, agentFD, lockFD
	defer func() {
		if err != nil {
			closeAll(ours)
			closeAll(append(theirs, files...))
		}
	}()
	for range 2 {
		conn, end, err := process.SocketPair()
		if err != nil {
			return err
		}
		ours, theirs = append(ours, conn), append(theirs, end)
	}
	inherited, err := lock.Inherit()
	if err != nil {
		return err
	}
	theirs = append(theirs, inherited)
	var environment []string // nil: this process's, since a QEMU without a sandbox may open a window
	if q.sandbox {
		environment = process.SmallEnvironment()
	}
	q.process, err = process.Start(process.Command{Argv: argv, Files: append(theirs, files...), Stderr: q.warnings, Env: environment})
	if err != nil {
		return err
	}
	q.monitor, q.agent = qmp.New(ours[0], events), guestagent.New(ours[1])
	q.group.Go(func() error {
		defer q.monitor.Close()
		return q.monitor.Run()
	})
	q.group.Go(func() error {
		defer q.agent.Close()
		return q.agent.Run()
	})
	return nil
}

func closeAll[C io.Closer](all []C) {
	for _, one := range all {
		one.Close()
	}
}

// done is closed when QEMU has ended.
func (q *qemuProcess) done() <-chan struct{} { return q.process.Done() }

// execute runs a command of the monitor, within askLimit, and decodes the answer into result,
// which may be nil. It returns qmp.ErrClosed if QEMU is ending.
func (q *qemuProcess) execute(ctx context.Context, command string, result any) error {
	limit, cancel := context.WithTimeoutCause(ctx, askLimit, errors.New("the monitor does not answer"))
	defer cancel()
	return q.monitor.Execute(limit, command, nil, result)
}

// status returns QEMU's run state: "running", "prelaunch" (started with -S), "paused",
// "internal-error" and others (RunState in QEMU's qapi/run-state.json).
func (q *qemuProcess) status(ctx context.Context) (string, error) {
	var is struct{ Status string }
	err := q.execute(ctx, "query-status", &is)
	return is.Status, err
}

// supports reports whether the monitor has a command.
func (q *qemuProcess) supports(command string) bool {
	var commands []struct{ Name string }
	err := q.execute(context.Background(), "query-commands", &commands)
	return err == nil && slices.ContainsFunc(commands, func(c struct{ Name string }) bool { return c.Name == command })
}

// terminate ends QEMU without asking the guest: by the quit command, or else by SIGKILL.
func (q *qemuProcess) terminate() {
	limit, cancel := context.WithTimeout(context.Background(), askLimit)
	defer cancel()
	_ = q.execute(limit, "quit", nil) // only the effect matters
	select {
	case <-q.done():
	case <-limit.Done():
		q.process.Kill()
	}
}

package vm

import (
	"context"
	"errors"
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

// askLimit bounds one request to the monitor, so that a QEMU that hangs does not hold up
// what follows.
const askLimit = 2 * time.Second

// What QEMU inherits, by number: its ends of two sockets, the VM's lock, and with NoRelay a
// pipe for each console.
const (
	monitorFD = 3
	agentFD   = 4
	lockFD    = 5
	pipesFD   = 6
)

// qemuProcess is QEMU with the connections to it. Its fields are set while it starts, and
// read once VM.ready is closed.
type qemuProcess struct {
	process  *process.Process
	monitor  *qmp.Client
	agent    *guestagent.Client // every request fails if the guest has no agent
	warnings *warnings          // what QEMU writes to its standard error
	group    errgroup.Group     // the goroutines that end with QEMU
	extra    []string           // arguments behind all others
	sandbox  bool
	kvm      bool
	line     string // see VM.Command
}

// newQEMU returns the QEMU of a machine, not started. extra are arguments behind all others.
func newQEMU(m vmconfig.Machine, extra []string) *qemuProcess {
	return &qemuProcess{warnings: newWarnings(m.QEMU), extra: extra, sandbox: m.Sandbox}
}

// argv returns QEMU's command line for so many pipes of consoles.
func (q *qemuProcess) argv(m vmconfig.Machine, host qemu.Host, pipes int) []string {
	numbers := make([]int, pipes)
	for i := range numbers {
		numbers[i] = pipesFD + i
	}
	argv := qemu.Args(m, host)
	q.line, q.kvm = qemu.Shell(slices.Concat(argv, q.extra)), host.Accel == "kvm"
	argv = slices.Concat(argv, qemu.Bound(host), qemu.Control(m, monitorFD, numbers))
	if !qemu.HasAgent(m.QEMUArgs) && !qemu.HasAgent(q.extra) {
		argv = append(argv, qemu.Agent(m, host, agentFD)...)
	}
	return append(argv, q.extra...)
}

// start starts QEMU with argv. files are what it inherits behind the sockets of its monitor
// and agent, and the lock; start closes them. events is called with QEMU's events.
func (q *qemuProcess) start(argv []string, lock *rundir.Lock, files []*os.File, events func(qmp.Event)) error {
	connections, err := openConnections(lock)
	if err != nil {
		closeAll(files)
		return err
	}
	var environment []string // all of ours: without a sandbox QEMU may open a window, which needs that
	if q.sandbox {
		environment = process.SmallEnvironment()
	}
	q.process, err = process.Start(process.Command{
		Argv: argv, Files: append(connections.inherited, files...), Stderr: q.warnings, Env: environment,
	})
	if err != nil {
		connections.close()
		closeAll(files)
		return err
	}
	q.monitor, q.agent = qmp.New(connections.monitor, events), guestagent.New(connections.agent)
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

// connections are the connections to a QEMU that is about to start, and what it inherits:
// its ends of them, and the VM's lock, as monitorFD, agentFD and lockFD.
type connections struct {
	monitor, agent net.Conn
	inherited      []*os.File
}

func openConnections(lock *rundir.Lock) (c connections, err error) {
	for _, ours := range []*net.Conn{&c.monitor, &c.agent} {
		conn, theirs, err := process.SocketPair()
		if err != nil {
			c.close()
			return c, err
		}
		*ours, c.inherited = conn, append(c.inherited, theirs)
	}
	inherited, err := lock.Inherit()
	if err != nil {
		c.close()
		return c, err
	}
	c.inherited = append(c.inherited, inherited)
	return c, nil
}

// close closes what is still open.
func (c connections) close() {
	for _, conn := range []net.Conn{c.monitor, c.agent} {
		if conn != nil {
			conn.Close()
		}
	}
	closeAll(c.inherited)
}

func closeAll(files []*os.File) {
	for _, file := range files {
		file.Close()
	}
}

// done is closed when QEMU has ended.
func (q *qemuProcess) done() <-chan struct{} { return q.process.Done() }

// execute has the monitor execute a command, within askLimit. It returns qmp.ErrClosed if
// QEMU is ending. arguments and result may be nil.
func (q *qemuProcess) execute(ctx context.Context, command string, arguments, result any) error {
	limit, cancel := context.WithTimeoutCause(ctx, askLimit, errors.New("the monitor does not answer"))
	defer cancel()
	return q.monitor.Execute(limit, command, arguments, result)
}

// supports reports whether the monitor has a command.
func (q *qemuProcess) supports(command string) bool {
	var commands []struct{ Name string }
	err := q.execute(context.Background(), "query-commands", nil, &commands)
	return err == nil && slices.ContainsFunc(commands, func(c struct{ Name string }) bool { return c.Name == command })
}

// sendBreak sends a break on the line of a console.
func (q *qemuProcess) sendBreak(ctx context.Context, chardev string) error {
	id := struct {
		ID string `json:"id"`
	}{chardev}
	return q.monitor.Execute(ctx, "chardev-send-break", id, nil)
}

// terminate ends QEMU without asking the guest: by its monitor, or else by a signal.
func (q *qemuProcess) terminate() {
	limit, cancel := context.WithTimeout(context.Background(), askLimit)
	defer cancel()
	_ = q.execute(limit, "quit", nil, nil) // its effect counts
	select {
	case <-q.done():
	case <-limit.Done():
		q.process.Kill()
	}
}

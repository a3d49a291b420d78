// Package process starts all child processes of this project.
//
// A child never outlives its parent, except with StartDetached: the kernel sends it SIGKILL
// when the thread that started it ends (prctl(2), PR_SET_PDEATHSIG), and that thread lives
// until the child has ended. A child has its own process group, so that a Ctrl-C at the
// terminal does not reach it, unless Command.Foreground is set.
package process

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stderrLimit is how much of a process's stderr is kept, in bytes.
const stderrLimit = 16 << 10

// Command describes a process to start.
type Command struct {
	Argv  []string   // program and arguments
	Files []*os.File // inherited as descriptors 3, 4, and so on; Start closes them
	Env   []string   // "NAME=value"; nil: the environment of this process
	// Stdout receives the standard output. If nil, it is discarded.
	Stdout io.Writer
	// Stderr, if not nil, receives the standard error as it is written. Process.Stderr
	// keeps its last lines in any case.
	Stderr io.Writer
	// Foreground gives the process this process's terminal: its standard input, output
	// and error, and its process group, so that Ctrl-C reaches it. A foreground process
	// also inherits the descriptors that this process has inherited.
	Foreground bool
}

// Process is a started process.
type Process struct {
	handle *os.Process
	group  bool // has its own process group
	done   chan struct{}
	err    error // valid once done is closed
	stderr tail
}

// Start starts c. The caller must end the process with Kill, or wait for Done.
func Start(c Command) (*Process, error) {
	p := &Process{done: make(chan struct{}), group: !c.Foreground}
	command := exec.Command(c.Argv[0], c.Argv[1:]...)
	command.ExtraFiles, command.Env = c.Files, c.Env
	command.Stdout = c.Stdout
	command.Stderr = &p.stderr
	if c.Stderr != nil {
		command.Stderr = io.MultiWriter(&p.stderr, c.Stderr)
	}
	// Do not wait for a grandchild that keeps stderr open.
	command.WaitDelay = time.Second
	command.SysProcAttr = &unix.SysProcAttr{Setpgid: !c.Foreground, Pdeathsig: unix.SIGKILL}
	if c.Foreground {
		command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	} else if err := closeInherited(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Argv[0], err)
	}

	started := make(chan error)
	go p.run(command, started)
	err := <-started
	for _, file := range c.Files {
		file.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Argv[0], err)
	}
	return p, nil
}

// run starts command and waits for it on one thread, because the kernel treats the end of
// the starting thread as the end of the parent.
func (p *Process) run(command *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := command.Start(); err != nil {
		started <- err
		return
	}
	p.handle = command.Process
	started <- nil
	p.err = command.Wait()
	close(p.done)
}

// PID returns the ID of the process.
func (p *Process) PID() int { return p.handle.Pid }

// ProcessorTime returns the processor time used by all threads of the process; see
// clock_getcpuclockid(3). It returns an error after the process has been waited for.
func (p *Process) ProcessorTime() (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED in the kernel: user and system time
	var used unix.Timespec
	if err := unix.ClockGettime(int32(^p.handle.Pid<<3|scheduled), &used); err != nil {
		return 0, os.NewSyscallError("clock_gettime", err)
	}
	return time.Duration(used.Nano()), nil
}

// Done returns a channel that is closed when the process has ended and has been waited
// for.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit waits for the process and returns its exit status, or 128 plus the number of the
// signal that ended it.
func (p *Process) Exit() int {
	<-p.done
	var exit *exec.ExitError
	if !errors.As(p.err, &exit) {
		return 0
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return exit.ExitCode()
}

// stderrLines is how many lines Stderr returns.
const stderrLines = 4

// Stderr returns the last lines that the process wrote to its standard error, joined into
// one line.
func (p *Process) Stderr() string {
	lines := strings.Split(p.stderr.String(), "\n")
	return strings.Join(lines[max(0, len(lines)-stderrLines):], "; ")
}

// Signal sends a signal. It returns nil if the process has ended.
func (p *Process) Signal(signal unix.Signal) error {
	if err := p.handle.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal pid %d: %w", p.handle.Pid, err)
	}
	return nil
}

// Kill sends SIGKILL to the process and to its process group, because a program may be a
// script that runs another one. It waits until the process has ended.
func (p *Process) Kill() {
	select {
	case <-p.done: // its ID may belong to another process now
		return
	default:
	}
	if p.group {
		_ = unix.Kill(-p.handle.Pid, unix.SIGKILL) // fails if the whole group has ended
	}
	_ = p.Signal(unix.SIGKILL) // fails only if this child has ended
	<-p.done
}

// tail keeps the last stderrLimit bytes written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

func (t *tail) Write(data []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, data...)
	if extra := len(t.kept) - stderrLimit; extra > 0 {
		t.kept = bytes.Clone(t.kept[extra:])
	}
	return len(data), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.kept))
}

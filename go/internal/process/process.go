// Package process starts every process that this project starts.
//
// What it starts never outlives the starter: the kernel sends SIGKILL when the
// starting thread ends (prctl(2), PR_SET_PDEATHSIG), and that thread lives as
// long as the child is waited for. The child has a process group of its own,
// so that a Ctrl-C at the terminal reaches only us, unless it is to have the
// terminal.
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

// stderrLimit bounds what is kept of a process's stderr, in bytes.
const stderrLimit = 16 << 10

// Command is what to start.
type Command struct {
	Argv  []string   // program and arguments
	Files []*os.File // inherited as descriptors 3, 4, …; closed by Start
	Env   []string   // "NAME=value"; nil: the environment of this process
	// Stdout gets the standard output; nil discards it.
	Stdout io.Writer
	// Stderr gets the standard error as it comes, beside what Process.Stderr
	// keeps of it; nil: nothing gets it.
	Stderr io.Writer
	// Foreground gives the process our terminal: our standard input, output and
	// error, and our process group, so that a Ctrl-C reaches it too. It also inherits
	// the descriptors that this process has inherited; another one does not.
	Foreground bool
}

// Process is a started process.
type Process struct {
	handle *os.Process
	group  bool // it has a process group of its own
	done   chan struct{}
	err    error // valid once done is closed
	stderr tail
}

// Start starts c. The caller ends the process with Kill, or waits for Done.
func Start(c Command) (*Process, error) {
	p := &Process{done: make(chan struct{}), group: !c.Foreground}
	command := exec.Command(c.Argv[0], c.Argv[1:]...)
	command.ExtraFiles, command.Env = c.Files, c.Env
	command.Stdout = c.Stdout
	command.Stderr = &p.stderr
	if c.Stderr != nil {
		command.Stderr = io.MultiWriter(&p.stderr, c.Stderr)
	}
	// A grandchild that keeps stderr open must not keep us waiting.
	command.WaitDelay = time.Second
	command.SysProcAttr = &unix.SysProcAttr{Setpgid: !c.Foreground, Pdeathsig: unix.SIGKILL}
	if c.Foreground {
		command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	} else if err := keepDescriptors(); err != nil {
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

// run starts command and waits for it, all on one thread: its end is what the
// kernel takes for the parent's.
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

// PID is the process's id.
func (p *Process) PID() int { return p.handle.Pid }

// ProcessorTime returns how much processor time the process has used, all of its threads
// together; see clock_getcpuclockid(3). It is an error once the process was waited for.
func (p *Process) ProcessorTime() (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED of the kernel: user and system time
	var used unix.Timespec
	if err := unix.ClockGettime(int32(^p.handle.Pid<<3|scheduled), &used); err != nil {
		return 0, os.NewSyscallError("clock_gettime", err)
	}
	return time.Duration(used.Nano()), nil
}

// Done is closed when the process has ended and has been waited for.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit returns how an ended process ended: its exit status, or 128 plus the
// number of the signal that ended it.
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

// stderrLines is how many last lines of a process's stderr tell why it ended.
const stderrLines = 4

// Stderr returns the last lines that the process wrote to its standard error,
// as one line.
func (p *Process) Stderr() string {
	lines := strings.Split(p.stderr.String(), "\n")
	return strings.Join(lines[max(0, len(lines)-stderrLines):], "; ")
}

// Signal sends a signal. A process that has ended is no error.
func (p *Process) Signal(signal unix.Signal) error {
	if err := p.handle.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal pid %d: %w", p.handle.Pid, err)
	}
	return nil
}

// Kill ends the process at once, with what it has started in its process group, and
// waits until it is gone: a program may be a script that runs another one.
func (p *Process) Kill() {
	select {
	case <-p.done: // its number may be another process's by now
		return
	default:
	}
	if p.group {
		_ = unix.Kill(-p.handle.Pid, unix.SIGKILL) // all of it may have ended
	}
	_ = p.Signal(unix.SIGKILL) // it is a child of ours: the only error is that it has ended
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

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/process"
	"microvm-console/internal/rundir"
	"microvm-console/internal/vmconfig"
)

// readyVariable is the environment variable that the process in the background gets: the
// descriptor of the pipe to which it writes a byte when its VM is ready.
const readyVariable = "MICROVM_RUN_READY_FD"

// readyFD is that descriptor, by number: the first that a process inherits.
const readyFD = 3

// errNotReady is the cause of a context that ends with the time limit of --detach.
var errNotReady = errors.New("the guest is not ready")

// detach starts this program again in the background, as the owner of the VM, and returns
// when the VM is ready. Until then, that process prints to the standard output and error of
// this one. If it ends before, detach returns an error with its exit status.
func detach(c *cli.Context) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	environment := append(os.Environ(), fmt.Sprintf("%s=%d", readyVariable, readyFD))
	child, err := process.StartDetached(program, os.Args, environment, os.Stdout, os.Stderr, write)
	if err != nil {
		return err
	}
	limit := c.Duration("timeout")
	ctx, cancel := cmdline.Limited(c.Context, limit, errNotReady)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = read.SetReadDeadline(time.Now()) })
	defer stop()
	if n, _ := read.Read(make([]byte, 1)); n == 1 {
		return nil
	}
	if ctx.Err() != nil {
		_ = child.Signal(unix.SIGTERM) // it has ended, or stops the VM
	}
	<-child.Done()
	return notReady(ctx, limit, child.Exit())
}

// notReady returns the error of a process that has ended with status before its VM was ready.
func notReady(ctx context.Context, limit time.Duration, status int) error {
	switch {
	case errors.Is(context.Cause(ctx), errNotReady):
		return cmdline.Status(cmdline.StatusTimeout, fmt.Errorf("%w within %v (the VM was stopped)", errNotReady, limit))
	case ctx.Err() != nil:
		return errors.New("interrupted before the guest was ready (the VM was stopped)")
	case status == cmdline.StatusDone:
		return errors.New("the VM ended before its guest was ready")
	}
	return cmdline.Quiet(status)
}

// readyPipe returns the pipe of readyVariable; nil if this process is not the one in the
// background. What this process starts does not get the variable. The caller closes the pipe.
func readyPipe() *os.File {
	fd, err := strconv.Atoi(os.Getenv(readyVariable))
	if err != nil {
		return nil
	}
	_ = os.Unsetenv(readyVariable) // it fails only for an invalid name
	return os.NewFile(uintptr(fd), "ready")
}

// leaveTerminal ends the use of the terminal: what this process prints from now on is written
// to the VM's run.log. Then it writes to the pipe of readyVariable, and closes it. If pipe is
// nil, leaveTerminal does nothing.
func leaveTerminal(c *cli.Context, machine vmconfig.Machine, pipe *os.File) error {
	if pipe == nil {
		return nil
	}
	defer pipe.Close()
	log, err := createLog(machine)
	if err != nil {
		return err
	}
	defer log.Close()
	if !c.Bool("quiet") {
		_, err := fmt.Fprintf(c.App.Writer, "%s: continues in the background (pid %d), its output is in %s\n", c.App.Name, os.Getpid(), log.Name())
		if err != nil {
			return err
		}
	}
	for _, output := range []*os.File{os.Stdout, os.Stderr} {
		if err := unix.Dup3(int(log.Fd()), int(output.Fd()), 0); err != nil {
			return os.NewSyscallError("dup3", err)
		}
	}
	_, _ = pipe.Write([]byte{'\n'}) // the process that waited may have ended
	return nil
}

// createLog creates the run.log of a VM, or empties it. The caller holds the VM's lock, and
// closes the file.
func createLog(machine vmconfig.Machine) (*os.File, error) {
	path, err := rundir.Of(machine.Name).RunLog()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
}

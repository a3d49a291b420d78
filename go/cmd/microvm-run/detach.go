package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/go-multierror"
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

// detach starts this program again in the background, as the owner of the VM, and returns
// when the VM is ready. If the process in the background ends before that, detach prints its
// output and returns an error with its exit status.
func detach(c *cli.Context, machine vmconfig.Machine) error {
	path, err := rundir.Of(machine.Name).RunLog()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	// The log of a VM of this name that runs already stays as it is.
	log, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".")
	if err != nil {
		return err
	}
	defer log.Close()
	child, err := background(c, log)
	if err != nil {
		return multierror.Append(err, show(c.App.ErrWriter, log), os.Remove(log.Name()))
	}
	if err := os.Rename(log.Name(), path); err != nil {
		return err
	}
	if c.Bool("quiet") {
		return nil
	}
	if err := show(c.App.Writer, log); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s: continues in the background (pid %d), its output is in %s\n", c.App.Name, child.PID(), path)
	return err
}

// background starts the process, with its output in log, and waits until its VM is ready. If
// it returns an error, the process has ended.
func background(c *cli.Context, log *os.File) (*process.Process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	environment := append(os.Environ(), fmt.Sprintf("%s=%d", readyVariable, readyFD))
	child, err := process.StartDetached(program, os.Args, environment, log, write)
	if err != nil {
		return nil, err
	}
	ctx, cancel := cmdline.Limited(c.Context, c.Duration("timeout"), errNotReady)
	defer cancel()
	ready := make(chan bool, 1)
	go func() { // it ends with the pipe: at a byte, at the child's end, or with read.Close
		n, _ := read.Read(make([]byte, 1))
		ready <- n == 1
	}()
	select {
	case is := <-ready:
		if is {
			return child, nil
		}
	case <-ctx.Done():
		_ = child.Signal(unix.SIGTERM) // it has ended, or stops the VM
	}
	<-child.Done()
	return nil, notReady(ctx, c.Duration("timeout"), child.Exit())
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

// show copies what is in the log so far.
func show(w io.Writer, log *os.File) error {
	_, err := io.Copy(w, io.NewSectionReader(log, 0, math.MaxInt64))
	return err
}

// signalReady writes to the pipe of readyVariable, and closes it. pipe may be nil.
func signalReady(pipe *os.File) {
	if pipe == nil {
		return
	}
	_, _ = pipe.Write([]byte{'\n'}) // the process that waited may have ended
	pipe.Close()
}

// hasLogin reports whether a console of the machine has a login, without which its guest may
// never be ready.
func hasLogin(machine vmconfig.Machine) bool {
	return slices.ContainsFunc(machine.Consoles, vmconfig.Console.HasLogin)
}

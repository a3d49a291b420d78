package main

import (
	"bytes"
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
	"microvm-console/internal/display"
	"microvm-console/internal/process"
	"microvm-console/internal/rundir"
	"microvm-console/internal/vmconfig"
)

// readyVariable is the environment variable that the process in the background gets: the
// descriptor of the pipe to which it writes a byte when its VM is ready.
const readyVariable = "MICROVM_RUN_READY_FD"

// columnsVariable is the environment variable with the width of the terminal to which the output
// of the process in the background is copied; 0 if it is not a terminal.
const columnsVariable = "MICROVM_RUN_COLUMNS"

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

// screenOf returns the screen of what is written to w; in the background, that to which the
// output is copied.
func screenOf(w io.Writer) display.Screen {
	screen := display.ScreenOf(w)
	if columns, err := strconv.Atoi(os.Getenv(columnsVariable)); err == nil {
		screen.Columns = columns
	}
	return screen
}

// detach starts this program again in the background, as the owner of the VM, and returns
// when the VM is ready. Until then it prints the output of the process in the background. If
// that process ends before, detach returns an error with its exit status.
func detach(c *cli.Context, machine vmconfig.Machine) error {
	path, err := rundir.Of(machine.Name).RunLog()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := createLog(path)
	if err != nil {
		return err
	}
	defer file.Close()
	log := &follower{log: file, progress: c.App.Writer}
	if c.Bool("quiet") {
		log.progress = nil
	}
	child, err := background(c, log)
	if err != nil {
		return multierror.Append(err, log.copyTo(c.App.ErrWriter), os.Remove(file.Name()))
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	if c.Bool("quiet") {
		return nil
	}
	if err := log.copyTo(c.App.Writer); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s: continues in the background (pid %d), its output is in %s\n", c.App.Name, child.PID(), path)
	return err
}

// createLog creates a file that becomes the log at path when the VM is ready, so that the log
// of a VM of this name that runs already stays as it is. It removes such files of starts that
// were killed. A start in progress and its VM have their file locked (flock(2)).
func createLog(path string) (*os.File, error) {
	leftovers, err := filepath.Glob(path + ".*")
	if err != nil {
		return nil, err
	}
	for _, leftover := range leftovers {
		file, err := os.Open(leftover)
		if err != nil {
			continue // removed meanwhile
		}
		if unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			_ = os.Remove(leftover) // the next start tries again
		}
		file.Close()
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".")
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		return nil, multierror.Append(os.NewSyscallError("flock", err), file.Close(), os.Remove(file.Name()))
	}
	return file, nil
}

// follower copies a log as it grows.
type follower struct {
	log      *os.File
	progress io.Writer // what awaitReady copies to; nil: it copies nothing
	copied   int64
}

// copyTo copies what was not copied yet.
func (f *follower) copyTo(w io.Writer) error {
	n, err := io.Copy(w, io.NewSectionReader(f.log, f.copied, math.MaxInt64-f.copied))
	f.copied += n
	return err
}

// background starts the process, with its output in the log, and waits until its VM is ready. If
// it returns an error, the process has ended.
func background(c *cli.Context, log *follower) (*process.Process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	environment := append(os.Environ(), fmt.Sprintf("%s=%d", readyVariable, readyFD),
		fmt.Sprintf("%s=%d", columnsVariable, display.Width(c.App.Writer)))
	child, err := process.StartDetached(program, os.Args, environment, log.log, write)
	if err != nil {
		return nil, err
	}
	ctx, cancel := cmdline.Limited(c.Context, c.Duration("timeout"), errNotReady)
	defer cancel()
	ready, err := awaitReady(ctx, read, log)
	if ready {
		return child, nil
	}
	if err != nil || ctx.Err() != nil {
		_ = child.Signal(unix.SIGTERM) // it has ended, or stops the VM
	}
	<-child.Done()
	if err != nil {
		return nil, err
	}
	return nil, notReady(ctx, c.Duration("timeout"), child.Exit())
}

// followEvery is how often awaitReady looks for more output.
const followEvery = 100 * time.Millisecond

// awaitReady waits until the process in the background has written to its end of the pipe,
// which it does when its VM is ready, has closed it, or ctx ends. Meanwhile it copies the log
// to its progress. What the process prints after it has closed the pipe, its error, is not
// copied.
func awaitReady(ctx context.Context, pipe *os.File, log *follower) (ready bool, err error) {
	for ctx.Err() == nil {
		var lines bytes.Buffer
		if log.progress != nil {
			_ = log.copyTo(&lines) // to memory; a log that cannot be read is reported later
		}
		if err := pipe.SetReadDeadline(time.Now().Add(followEvery)); err != nil {
			return false, err
		}
		n, err := pipe.Read(make([]byte, 1))
		if n == 0 && !errors.Is(err, os.ErrDeadlineExceeded) {
			log.copied -= int64(lines.Len()) // the error may be among these lines
			return false, nil
		}
		if log.progress != nil {
			if _, err := lines.WriteTo(log.progress); err != nil {
				return false, err
			}
		}
		if n == 1 {
			return true, nil
		}
	}
	return false, nil
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

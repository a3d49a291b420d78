package guestinit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"microvm-console/internal/guestagent"
)

// ownerPause is the pause between two looks at a process that has ended and for which another
// goroutine is about to wait.
const ownerPause = time.Millisecond

// reap waits for the processes that this process has inherited, so that they do not stay
// zombies. It leaves a process to another goroutine if one of owners reports that it waits for it.
func reap(ctx context.Context, owners ...func(pid int) bool) error {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	defer signal.Stop(ended)
	for {
		pid, err := nextEnded()
		switch {
		case err != nil:
			return os.NewSyscallError("waitid", err)
		case pid == 0:
			select {
			case <-ended:
			case <-ctx.Done():
				return nil
			}
		case owned(pid, owners):
			time.Sleep(ownerPause)
		default:
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil) // its status is of no use
		}
	}
}

func owned(pid int, owners []func(pid int) bool) bool {
	for _, owns := range owners {
		if owns(pid) {
			return true
		}
	}
	return false
}

// nextEnded returns a child process that has ended and has not been waited for; 0 if there is
// none.
func nextEnded() (int, error) {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	switch {
	case errors.Is(err, unix.ECHILD):
		return 0, nil
	case errors.Is(err, unix.EINTR):
		return nextEnded()
	case err != nil:
		return 0, err
	}
	// si_pid, the first field of a union that package unix does not declare; see
	// siginfo_t in sigaction(2).
	const pidOffset = 4 * unsafe.Sizeof(int32(0))
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(&info), pidOffset))), nil
}

// shells are the shells on terminals. The zero value is ready to use.
type shells struct {
	mu   sync.Mutex
	pids map[int]bool
}

// shellPause is the pause between the end of a shell and the start of the next one.
const shellPause = time.Second

// respawn runs a shell on a terminal, again each time it ends, until ctx ends.
func (s *shells) respawn(ctx context.Context, shell, terminal string) error {
	for ctx.Err() == nil {
		if err := s.run(shell, "/dev/"+terminal); err != nil {
			fmt.Fprintf(os.Stderr, "microvm-agent: shell on %s: %v\n", terminal, err)
		}
		select {
		case <-time.After(shellPause):
		case <-ctx.Done():
		}
	}
	return nil
}

// run runs a shell on a terminal, in a session of its own, and waits for its end.
func (s *shells) run(shell, terminal string) error {
	tty, err := openTerminal(terminal)
	if err != nil {
		return err
	}
	defer tty.Close()
	command := exec.Command(shell)
	command.Stdin, command.Stdout, command.Stderr = tty, tty, tty
	command.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.start(command); err != nil {
		return err
	}
	_ = command.Wait() // its status is the user's
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pids, command.Process.Pid)
	return nil
}

// openTerminal opens a terminal for a shell. The caller closes it.
func openTerminal(path string) (*os.File, error) {
	// Without O_NONBLOCK the open of a serial port waits for a carrier. A shell expects a
	// terminal without it.
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

func (s *shells) start(command *exec.Cmd) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := command.Start(); err != nil {
		return err
	}
	if s.pids == nil {
		s.pids = map[int]bool{}
	}
	s.pids[command.Process.Pid] = true
	return nil
}

// waits reports whether run waits for a process.
func (s *shells) waits(pid int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pids[pid]
}

// shutdown ends the guest: it asks all processes to end, writes what is not yet written to the
// host, and calls reboot(2). It does not wait for the processes, since what they write to the
// overlay is lost anyway.
func shutdown(mode guestagent.ShutdownMode) error {
	_ = unix.Kill(-1, unix.SIGTERM) // there may be none
	unix.Sync()
	return unix.Reboot(map[guestagent.ShutdownMode]int{
		guestagent.Powerdown: unix.LINUX_REBOOT_CMD_POWER_OFF,
		guestagent.Halt:      unix.LINUX_REBOOT_CMD_HALT,
		guestagent.Reboot:    unix.LINUX_REBOOT_CMD_RESTART,
	}[mode])
}

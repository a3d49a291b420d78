package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/guestagent"
)

// none is the type of absent arguments and values.
type none struct{}

// syncArgs are the arguments of guest-sync and guest-sync-delimited.
type syncArgs struct {
	ID *int64 `json:"id"`
}

func (s *Server) sync(_ context.Context, args syncArgs) (any, error) {
	if args.ID == nil {
		return nil, errors.New("parameter 'id' is missing")
	}
	return *args.ID, nil
}

func (s *Server) ping(context.Context, none) (any, error) { return none{}, nil }

func (s *Server) info(context.Context, none) (any, error) {
	info := guestagent.Info{Version: s.version}
	for _, command := range s.commands {
		info.Commands = append(info.Commands, guestagent.Command{Name: command.name, Enabled: true, Answers: !command.silent})
	}
	return info, nil
}

func (s *Server) end(_ context.Context, args guestagent.ShutdownArgs) (any, error) {
	switch args.Mode {
	case "":
		args.Mode = guestagent.Powerdown
	case guestagent.Powerdown, guestagent.Halt, guestagent.Reboot:
	default:
		return nil, fmt.Errorf("unknown mode %q (choose powerdown, halt, reboot)", args.Mode)
	}
	return nil, s.shutdown(args.Mode)
}

func (s *Server) time(context.Context, none) (any, error) { return time.Now().UnixNano(), nil }

// setTimeArgs are the arguments of guest-set-time. Time is in nanoseconds since 1970. If it is
// absent, the time of the guest's hardware clock is used.
type setTimeArgs struct {
	Time *int64 `json:"time"`
}

func (s *Server) setTime(ctx context.Context, args setTimeArgs) (any, error) {
	if args.Time == nil {
		// QEMU sets the hardware clock to the host's time.
		if out, err := exec.CommandContext(ctx, "hwclock", "-s").CombinedOutput(); err != nil {
			return nil, fmt.Errorf("hwclock -s: %w: %.200s", err, out)
		}
		return none{}, nil
	}
	now := unix.NsecToTimespec(*args.Time)
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &now); err != nil {
		return nil, fmt.Errorf("set the clock: %w", err)
	}
	return none{}, nil
}

// consoleForm matches the names of terminals. They contain no slash, so that they stay in /dev.
var consoleForm = regexp.MustCompile(`^[A-Za-z]+[0-9]+$`)

// setConsoleSize sets the size of a terminal. The kernel then sends SIGWINCH to the programs on it;
// see TIOCSWINSZ(2const).
func (s *Server) setConsoleSize(_ context.Context, args guestagent.ConsoleSizeArgs) (any, error) {
	switch {
	case !consoleForm.MatchString(args.Device):
		return nil, fmt.Errorf("invalid device %q: want a console, e.g. hvc0", args.Device)
	case !isSize(args.Rows) || !isSize(args.Columns):
		return nil, fmt.Errorf("invalid size, %d rows of %d columns: want 1 to %d", args.Rows, args.Columns, 1<<16-1)
	}
	// Without O_NONBLOCK the open of a serial port waits for a carrier.
	file, err := os.OpenFile("/dev/"+args.Device, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	size := unix.Winsize{Row: uint16(args.Rows), Col: uint16(args.Columns)}
	if err := unix.IoctlSetWinsize(int(file.Fd()), unix.TIOCSWINSZ, &size); err != nil {
		return nil, fmt.Errorf("set the size of %s: %w", args.Device, err)
	}
	return none{}, nil
}

// isSize reports whether n fits struct winsize, in which 0 means unknown.
func isSize(n int) bool { return n > 0 && n < 1<<16 }

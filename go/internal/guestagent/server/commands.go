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

// none are no arguments, or no value.
type none struct{}

// syncArgs are the arguments of both synchronisations.
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
		return nil, fmt.Errorf("mode %q is unknown (powerdown, halt, reboot)", args.Mode)
	}
	return nil, s.shutdown(args.Mode)
}

func (s *Server) time(context.Context, none) (any, error) { return time.Now().UnixNano(), nil }

// setTimeArgs are the arguments of guest-set-time: nanoseconds since 1970. Without a time,
// the guest's hardware clock counts.
type setTimeArgs struct {
	Time *int64 `json:"time"`
}

func (s *Server) setTime(ctx context.Context, args setTimeArgs) (any, error) {
	if args.Time == nil {
		// The guest's hardware clock is the host's.
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

// consoleForm is what a terminal's name looks like; it leads out of no folder.
var consoleForm = regexp.MustCompile(`^[A-Za-z]+[0-9]+$`)

// setConsoleSize tells a terminal its size, and so the programs on it, by
// SIGWINCH; see TIOCSWINSZ(2const).
func (s *Server) setConsoleSize(_ context.Context, args guestagent.ConsoleSizeArgs) (any, error) {
	switch {
	case !consoleForm.MatchString(args.Device):
		return nil, fmt.Errorf("device %q is no console (as hvc0)", args.Device)
	case !isSize(args.Rows) || !isSize(args.Columns):
		return nil, fmt.Errorf("%d rows of %d columns: want numbers from 1 to %d", args.Rows, args.Columns, 1<<16-1)
	}
	// Without NONBLOCK a serial port waits for a carrier.
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

// isSize tells whether a size fits a struct winsize, where 0 is unknown.
func isSize(n int) bool { return n > 0 && n < 1<<16 }

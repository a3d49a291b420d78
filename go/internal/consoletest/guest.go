package consoletest

import (
	"context"
	"fmt"
	"regexp"
	"time"
)

// diagnoseLimit bounds the questions asked after a failed login.
const diagnoseLimit = 10 * time.Second

// diagnose asks the guest, on another console, why nobody can log in on
// device, and adds the answer to err.
func (s *Suite) diagnose(ctx context.Context, device string, err error) error {
	shell, none := s.anyShell()
	if none != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), diagnoseLimit)
	defer cancel()
	if _, missing := shell.Shell(ctx, "test -c /dev/"+device); missing != nil {
		return fmt.Errorf("guest: it has no /dev/%s (is the driver loaded?): %w", device, err)
	}
	if _, missing := shell.Shell(ctx, "echo >/dev/"+device); missing != nil {
		return fmt.Errorf("guest: its /dev/%s has no device behind it (is the driver loaded?): %w", device, err)
	}
	if _, missing := shell.Shell(ctx, "ps | grep -q '[g]etty.*"+device+"'"); missing != nil {
		return fmt.Errorf("guest: no getty runs on %s: %w", device, err)
	}
	return err
}

// across writes on one console to the device of the other, and waits for it
// there. The product is computed by the guest.
func (s *Suite) across(from, to string) func(context.Context) error {
	return func(ctx context.Context) error {
		writer, err := s.shell(from)
		if err != nil {
			return err
		}
		reader, err := s.shell(to)
		if err != nil {
			return err
		}
		if _, err := writer.Shell(ctx, fmt.Sprintf(`echo "Hello $((1234*56)) from $(tty)" >/dev/%s`, to)); err != nil {
			return err
		}
		_, err = reader.Expect(ctx, regexp.MustCompile("Hello 69104 from /dev/"+from))
		return err
	}
}

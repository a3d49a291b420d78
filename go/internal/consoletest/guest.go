package consoletest

import (
	"context"
	"fmt"
	"regexp"
	"time"
)

// diagnoseLimit bounds the commands that diagnose runs.
const diagnoseLimit = 10 * time.Second

// diagnose runs commands on another console to find out why root cannot log in on device,
// and adds the answer to err.
func (s *Suite) diagnose(ctx context.Context, device string, err error) error {
	shell, none := s.anyShell()
	if none != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), diagnoseLimit)
	defer cancel()
	if _, missing := shell.Shell(ctx, "test -c /dev/"+device); missing != nil {
		return fmt.Errorf("guest: no /dev/%s (is the driver loaded?): %w", device, err)
	}
	if _, missing := shell.Shell(ctx, "echo >/dev/"+device); missing != nil {
		return fmt.Errorf("guest: /dev/%s exists but has no device (is the driver loaded?): %w", device, err)
	}
	if _, missing := shell.Shell(ctx, "ps | grep -q '[g]etty.*"+device+"'"); missing != nil {
		return fmt.Errorf("guest: no getty runs on %s: %w", device, err)
	}
	return err
}

// across writes to the device of one console from the shell of another, and waits for the
// text there. The guest computes a product in it.
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
		_, err = reader.Expect(ctx, "text from "+from, regexp.MustCompile("Hello 69104 from /dev/"+from))
		return err
	}
}

package consoletest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"microvm-console/internal/vmconfig"
)

// declared are the checks that vm.json declares.
func (s *Suite) declared() []Check {
	var checks []Check
	for _, declared := range s.machine.Checks {
		console := s.machine.CheckConsole(declared)
		check := Check{
			Name:  declared.Name,
			Needs: []string{namePrinted},
			Limit: time.Duration(declared.TimeoutSeconds) * time.Second,
		}
		if console.HasLogin() {
			check.Needs = append(check.Needs, nameLogin(console.Device))
		}
		switch {
		case declared.Run != "":
			check.Run = s.runs(declared, console.Device)
		case declared.Send != "":
			check.Run = s.answers(declared, console.Device)
		default:
			check.Needs = []string{namePrinted} // no shell is asked
			check.Run = s.prints(declared, console.Device)
			check.AfterEnd = true
		}
		checks = append(checks, check)
	}
	return checks
}

// runs has a command run, and looks at its status and its output.
func (s *Suite) runs(check vmconfig.Check, device string) func(context.Context) error {
	return func(ctx context.Context) error {
		shell, err := s.shell(device)
		if err != nil {
			return err
		}
		output, status, err := shell.command(ctx, check.Run)
		if err != nil {
			_ = shell.Send("\x03") // Ctrl-C: the next check may want the shell
			return err
		}
		if status != check.Status {
			return fmt.Errorf("guest: %q on %s ended with status %d, want %d: %s", check.Run, device, status, check.Status, shown(output))
		}
		if pattern := check.Pattern(); pattern != nil && !pattern.MatchString(output) {
			return fmt.Errorf("guest: %q on %s printed %s, which has no %s", check.Run, device, shown(output), wanted(check))
		}
		return nil
	}
}

// answers types, and waits for what comes from then on.
func (s *Suite) answers(check vmconfig.Check, device string) func(context.Context) error {
	return func(ctx context.Context) error {
		console, err := s.console(device)
		if err != nil {
			return err
		}
		from := console.Size()
		if err := console.Send(check.Send); err != nil {
			return err
		}
		return missing(check, console.Find(ctx, from, check.Pattern()))
	}
}

// prints waits for what the console prints, or has printed since it began.
func (s *Suite) prints(check vmconfig.Check, device string) func(context.Context) error {
	return func(ctx context.Context) error {
		console, err := s.console(device)
		if err != nil {
			return err
		}
		return missing(check, console.Find(ctx, 0, check.Pattern()))
	}
}

// missing says what was not found.
func missing(check vmconfig.Check, err error) error {
	if err != nil {
		return fmt.Errorf("no %s: %w", wanted(check), err)
	}
	return nil
}

// wanted is what a check looks for, in words.
func wanted(check vmconfig.Check) string {
	if check.Match != "" {
		return fmt.Sprintf("match of %q", check.Match)
	}
	return fmt.Sprintf("%q", check.Expect)
}

// longestShown is how much of a command's output an error has, in bytes.
const longestShown = 400

// shown is output in an error; of a long one, its end.
func shown(output string) string {
	if len(output) > longestShown {
		return fmt.Sprintf("(%d bytes) …%q", len(output), output[len(output)-longestShown:])
	}
	return fmt.Sprintf("%q", output)
}

// console returns the connected console.
func (s *Suite) console(device string) (*Console, error) {
	for _, console := range s.consoles {
		if console.Device == device {
			return console, nil
		}
	}
	return nil, fmt.Errorf("not run: not connected to %s", device)
}

// Size is how many bytes have come.
func (c *Console) Size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.text)
}

// Find waits until pattern matches in what has come from the byte from on, with
// plain line ends: as it came, or with the kernel's lines left out, which may have
// come in the middle of it. Unlike Expect it moves nothing. When ctx ends with
// ErrEnded, the guest's last bytes may still be on their way: then Find reads until the
// connection ends, at most for endLimit.
func (c *Console) Find(ctx context.Context, from int, pattern *regexp.Regexp) error {
	done := ctx.Done()
	var late <-chan time.Time
	for {
		c.mu.Lock()
		text, more, ended := c.text[from:], c.more, c.ended != nil
		c.mu.Unlock()
		text = plainEnds(text)
		spoken, _ := withoutKernelLines(text)
		switch {
		case pattern.Match(text) || pattern.Match(spoken):
			return nil
		case ended:
			return fmt.Errorf("%s: %w%s", c.Device, cmp.Or(context.Cause(ctx), errClosed), c.lastWords())
		}
		select {
		case <-more:
			continue
		case <-done:
			if errors.Is(context.Cause(ctx), ErrEnded) {
				done, late = nil, time.After(endLimit)
				continue
			}
		case <-late:
		}
		return fmt.Errorf("%s: %w%s", c.Device, context.Cause(ctx), c.lastWords())
	}
}

package consoletest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"microvm-console/internal/vmconfig"
)

// declared returns the checks that vm.json declares.
func (s *Suite) declared() []Check {
	var checks []Check
	for _, declared := range s.machine.Checks {
		console := s.machine.CheckConsole(declared)
		check := Check{
			Name:  declared.Name,
			Needs: []string{namePrinted},
			Limit: time.Duration(declared.TimeoutSeconds) * time.Second,

			Declared: true,
		}
		if console.HasLogin() {
			check.Needs = append(check.Needs, nameLogin(console.Device))
		}
		switch {
		case declared.KTAP:
			s.reports(&check, declared, console.Device)
		case declared.Run != "":
			check.Run = s.Restarts.end(s.runs(declared, console.Device))
		case declared.Send != "":
			check.Run = s.answers(declared, console.Device)
		default:
			check.Needs = []string{namePrinted} // it needs no shell
			check.Run = s.prints(declared, console.Device)
			check.AfterEnd = true
		}
		checks = append(checks, check)
	}
	return checks
}

// runs runs a command, and compares its exit status and its output.
func (s *Suite) runs(check vmconfig.Check, device string) func(context.Context) error {
	return func(ctx context.Context) error {
		shell, err := s.shell(device)
		if err != nil {
			return err
		}
		output, status, err := shell.command(ctx, check.Run)
		if err != nil {
			return err
		}
		if status != check.Status {
			return fmt.Errorf("guest: %q on %s ended with status %d, want %d: %s", check.Run, device, status, check.Status, shown(output))
		}
		if pattern := check.Pattern(); pattern != nil && !pattern.MatchString(output) {
			return fmt.Errorf("guest: %q on %s printed %s, want %s in it", check.Run, device, shown(output), wanted(check))
		}
		return nil
	}
}

// answers types text, and waits for the output that follows.
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
		return console.Find(ctx, missed(check), from, check.Pattern())
	}
}

// prints waits for output of the console, and accepts what it has printed since its start.
func (s *Suite) prints(check vmconfig.Check, device string) func(context.Context) error {
	return func(ctx context.Context) error {
		console, err := s.console(device)
		if err != nil {
			return err
		}
		return console.Find(ctx, missed(check), 0, check.Pattern())
	}
}

// wanted returns what a check expects, for an error.
func wanted(check vmconfig.Check) string {
	if check.Match != "" {
		return fmt.Sprintf("a match of %q", check.Match)
	}
	return fmt.Sprintf("%q", check.Expect)
}

// missed returns what follows "no " in the error of a check that has not found its text.
func missed(check vmconfig.Check) string { return strings.TrimPrefix(wanted(check), "a ") }

// longestShown is how many bytes of a command's output an error has at most.
const longestShown = 400

// shown returns the output of a command for an error: of a long one, its end.
func shown(output string) string {
	if len(output) > longestShown {
		return fmt.Sprintf("(%d bytes) …%q", len(output), output[len(output)-longestShown:])
	}
	return fmt.Sprintf("%q", output)
}

// console returns the connection to a console.
func (s *Suite) console(device string) (*Console, error) {
	for _, console := range s.consoles {
		if console.Device == device {
			return console, nil
		}
	}
	return nil, needs("not connected to " + device)
}

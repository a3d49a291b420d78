package consoletest

import (
	"context"
	"fmt"
	"regexp"
	"strings"
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

// listed looks into /proc/consoles (proc(5)): each device stands there, and
// the flag C, /dev/console, is at the last one.
func (s *Suite) listed(devices []string) func(context.Context) error {
	return func(ctx context.Context) error {
		shell, err := s.anyShell()
		if err != nil {
			return err
		}
		text, err := shell.Shell(ctx, "cat /proc/consoles")
		if err != nil {
			return err
		}
		return consolesListed(text, devices)
	}
}

// consoleFlags are the flags of a line in /proc/consoles.
var consoleFlags = regexp.MustCompile(`(?m)^(\S+)\s+\S+ \(([^)]*)\)`)

func consolesListed(text string, devices []string) error {
	flags := map[string]string{}
	for _, line := range consoleFlags.FindAllStringSubmatch(text, -1) {
		flags[line[1]] = line[2]
	}
	for _, device := range devices {
		if _, ok := flags[device]; !ok {
			return fmt.Errorf("guest: %s is not in /proc/consoles: %q", device, text)
		}
	}
	last := devices[len(devices)-1]
	for _, device := range devices {
		if preferred := strings.Contains(flags[device], "C"); preferred != (device == last) {
			return fmt.Errorf("guest: /dev/console should be %s: %q", last, text)
		}
	}
	return nil
}

// tty asks for the terminal's name on device.
func (s *Suite) tty(device string) func(context.Context) error {
	return func(ctx context.Context) error {
		shell, err := s.shell(device)
		if err != nil {
			return err
		}
		name, err := shell.Shell(ctx, "tty")
		if err == nil && strings.TrimSpace(name) != "/dev/"+device {
			err = fmt.Errorf("guest: tty on %s says %q", device, name)
		}
		return err
	}
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

// parameters looks for the console= parameters, in their order, in what the
// kernel says it was started with.
func (s *Suite) parameters(ctx context.Context) error {
	shell, err := s.anyShell()
	if err != nil {
		return err
	}
	// Without their times, or they would pass for lines that the kernel prints.
	text, err := shell.Shell(ctx, "dmesg | grep -i console | sed 's/^[^]]*] *//'")
	if err != nil {
		return err
	}
	var want []string
	for _, console := range s.machine.Consoles {
		want = append(want, `console=`+console.Device+`[^ ]*`)
	}
	if !regexp.MustCompile(`ommand line:.*` + strings.Join(want, " ")).MatchString(text) {
		return fmt.Errorf("guest: dmesg does not show %s: %q", strings.Join(want, " "), text)
	}
	return nil
}

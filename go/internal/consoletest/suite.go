package consoletest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"

	"microvm-console/internal/ctl"
	"microvm-console/internal/spec"
	"microvm-console/internal/vm"
)

// Suite is the checks of one machine, which it starts and stops.
type Suite struct {
	machine spec.Machine
	vm      *vm.VM

	consoles []*Console // connected ones, in the order of vm.json
	shells   map[string]*Console
	readers  sync.WaitGroup
}

// NewSuite returns the suite for machine, which v runs. The caller runs v, and
// calls Close in the end.
func NewSuite(machine spec.Machine, v *vm.VM) *Suite {
	return &Suite{machine: machine, vm: v, shells: map[string]*Console{}}
}

// Close closes the suite's connections. It returns when nothing reads any more.
func (s *Suite) Close() {
	for _, console := range s.consoles {
		console.Close()
	}
	s.readers.Wait()
}

// Checks are the suite's checks. They stand on each other: run them in their
// order.
func (s *Suite) Checks() []Check {
	var devices []string
	for _, console := range s.machine.Consoles {
		devices = append(devices, console.Device)
	}
	checks := []Check{{"the VM starts", s.start}}
	for _, device := range devices {
		checks = append(checks, Check{"login on " + device, s.login(device)})
	}
	last := devices[len(devices)-1]
	checks = append(checks, Check{
		fmt.Sprintf("/proc/consoles lists %s and marks %s", strings.Join(devices, ", "), last), s.listed(devices)})
	for _, device := range devices {
		checks = append(checks, Check{"tty is right on " + device, s.tty(device)})
	}
	for _, from := range devices {
		for _, to := range devices {
			if from != to {
				checks = append(checks, Check{
					fmt.Sprintf("what %s writes to /dev/%s arrives there", from, to), s.across(from, to)})
			}
		}
	}
	return append(checks,
		Check{"dmesg shows the console= parameters", s.parameters},
		Check{"clean shutdown, nothing left behind", s.shutdown})
}

// start waits until the machine runs and connects to its consoles, before any
// code of the guest has run.
func (s *Suite) start(ctx context.Context) error {
	select {
	case <-s.vm.Ready():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	for _, endpoint := range s.vm.Status().Consoles {
		console, err := Dial(ctx, endpoint.Device, net.JoinHostPort("localhost", strconv.Itoa(endpoint.Port)))
		if err != nil {
			return err
		}
		s.consoles = append(s.consoles, console)
		s.readers.Go(console.Run)
	}
	return nil
}

// login logs in on device, and finds out what is wrong where it cannot.
func (s *Suite) login(device string) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, console := range s.consoles {
			if console.Device != device {
				continue
			}
			if err := console.Login(ctx); err != nil {
				return s.diagnose(ctx, device, err)
			}
			s.shells[device] = console
			return nil
		}
		return fmt.Errorf("not run: not connected to %s", device)
	}
}

// shell returns the console on which a shell answers.
func (s *Suite) shell(device string) (*Console, error) {
	if console := s.shells[device]; console != nil {
		return console, nil
	}
	return nil, fmt.Errorf("not run: no login on %s", device)
}

// anyShell returns a console on which a shell answers.
func (s *Suite) anyShell() (*Console, error) {
	for _, console := range s.consoles {
		if s.shells[console.Device] != nil {
			return console, nil
		}
	}
	return nil, errors.New("not run: no login on any console")
}

// shutdown stops the machine; only the guest's own way is a clean one.
func (s *Suite) shutdown(ctx context.Context) error {
	// The machine's end ends ctx too, and must not cut the stop short.
	report, err := s.vm.Stop(context.WithoutCancel(ctx), ctl.StopRequest{})
	if err != nil {
		return err
	}
	for _, attempt := range report.Tried {
		if attempt.Stage == "acpi" && attempt.Result != "worked" {
			return fmt.Errorf("the guest ignored the power button: %s; stopped by %s", attempt.Result, report.Stage)
		}
	}
	<-s.vm.Finished()
	return s.vm.Leftovers()
}

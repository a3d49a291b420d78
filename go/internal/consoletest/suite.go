package consoletest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

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
	checks := []Check{
		{"the VM starts", s.start},
		{"what was printed while nobody was attached is there", s.connect},
	}
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
	for _, console := range s.machine.Consoles {
		checks = append(checks, Check{
			fmt.Sprintf("%d numbered lines on %s, at two clients and in the journal, beside one that never reads", numberedLines, console.Device),
			s.exact(console)})
	}
	return append(checks,
		Check{"dmesg shows the console= parameters", s.parameters},
		Check{"clean shutdown, nothing left behind", s.shutdown})
}

// start waits until the machine runs.
func (s *Suite) start(ctx context.Context) error {
	select {
	case <-s.vm.Ready():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// connect waits until a console has printed something, connects to all of
// them, and wants to see it from its first byte.
func (s *Suite) connect(ctx context.Context) error {
	for printed := int64(0); printed == 0; {
		for _, endpoint := range s.vm.Status().Consoles {
			printed += endpoint.Relay.End - endpoint.Relay.Start
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("no console prints anything: %w", context.Cause(ctx))
		}
	}
	for _, endpoint := range s.vm.Status().Consoles {
		if clients := len(endpoint.Relay.Clients); clients > 0 {
			return fmt.Errorf("%d clients are there already", clients)
		}
		console, err := Dial(ctx, endpoint.Device, address(endpoint))
		if err != nil {
			return err
		}
		s.consoles = append(s.consoles, console)
		s.readers.Go(console.Run)
	}
	return s.firstBytes(ctx)
}

// firstBytes compares what each client has got first with the journal.
func (s *Suite) firstBytes(ctx context.Context) error {
	for i, endpoint := range s.vm.Status().Consoles {
		size := min(beginning, endpoint.Relay.End-endpoint.Relay.Start)
		stream, err := s.vm.Stream(ctx, ctl.StreamRequest{Console: endpoint.Name})
		if err != nil {
			return err
		}
		kept := make([]byte, size)
		_, err = io.ReadFull(stream, kept)
		stream.Close()
		if err == nil {
			err = s.consoles[i].Began(ctx, kept)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// beginning is how many bytes of a console are compared, at most.
const beginning = int64(4096)

func address(endpoint ctl.Console) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(endpoint.Port))
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

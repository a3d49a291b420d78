package consoletest

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/state"
	"microvm-console/internal/verdict"
	"microvm-console/internal/vm"
	"microvm-console/internal/vmconfig"
)

// Suite is the checks of one machine. They stop it at their end.
type Suite struct {
	// Kernel gives the verdict on the kernel's log. The caller sets it before a check runs.
	Kernel *verdict.Judge
	// Restarts gets the guest's restarts. The caller sets it before it calls Checks, if the guest may
	// restart.
	Restarts *Restarts

	machine vmconfig.Machine
	vm      *vm.VM
	lines   int // how many numbered lines the guest prints on each console; 0: see numbered

	// Live is called with the device of each console when the suite connects to it, and returns
	// the function that gets its output; see Console.Live. If it is nil, nothing is called.
	Live func(device string) func(data []byte)

	consoles []*Console          // connected ones, in the order of vm.json
	shells   map[string]*Console // those with a shell, by device
	readers  sync.WaitGroup
	began    time.Time // when QEMU had started
}

// NewSuite returns the suite of a machine that v runs. The guest prints so many numbered
// lines on each console with a login; if lines is 0, vm.json decides. The caller calls v.Run, and
// Close when the checks are done. v may be nil if only the names of the checks are used.
func NewSuite(machine vmconfig.Machine, v *vm.VM, lines int) *Suite {
	return &Suite{machine: machine, vm: v, lines: lines, shells: map[string]*Console{}, Restarts: &Restarts{}}
}

// Close closes the suite's connections, and returns when all of them are closed.
func (s *Suite) Close() {
	if s.Live != nil {
		s.awaitLast()
	}
	for _, console := range s.consoles {
		console.Close()
	}
	s.readers.Wait()
}

// awaitLast waits, if the machine has ended, until the consoles have been read to their end, for
// at most endLimit.
func (s *Suite) awaitLast() {
	select {
	case <-s.vm.Finished():
	default:
		return
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		s.readers.Wait() // Close waits for this too
	}()
	select {
	case <-read:
	case <-time.After(endLimit):
	}
}

// noLogin is why a check that needs a shell is skipped.
const noLogin = "login is false in vm.json"

// Checks returns the suite's checks, and those that vm.json declares among them. They depend
// on each other: run them in order.
func (s *Suite) Checks() []Check {
	checks := []Check{
		{Name: nameStarts, Run: s.start},
		{Name: namePrinted, Run: s.connect, Needs: []string{nameStarts}},
	}
	restarts := func() int { return s.vm.Status().Restarts }
	for _, console := range s.machine.Consoles {
		checks = append(checks, shellCheck(nameLogin(console.Device), withRestarts(restarts, s.login(console.Device)), console))
	}
	checks = append(checks, s.declared()...)
	for _, from := range s.machine.Consoles {
		for _, to := range s.machine.Consoles {
			if from != to {
				checks = append(checks, shellCheck(nameAcross(from.Device, to.Device), s.Restarts.end(s.across(from.Device, to.Device)), from, to))
			}
		}
	}
	for _, console := range s.machine.Consoles {
		if lines := numbered(s.machine, console, s.lines); lines > 0 {
			checks = append(checks, shellCheck(nameLines(console.Device, lines), s.Restarts.end(s.exact(console, lines)), console))
		}
	}
	checks = append(checks, s.stop())
	for i := range checks {
		checks[i] = checks[i].withGaps(func() []verdict.Gap { return gaps(s.vm.Status().Consoles) }).withAdvice(s.slow)
	}
	return append(checks, s.kernel().withAdvice(s.slow))
}

// gaps returns all gaps in the output of consoles.
func gaps(consoles []state.Console) []verdict.Gap {
	var all []verdict.Gap
	for _, endpoint := range consoles {
		if endpoint.Relay == nil {
			continue // the VM is starting
		}
		for _, gap := range endpoint.Relay.Gaps {
			bytes := gap.Bytes
			if bytes == 0 {
				bytes = -1 // see verdict.Gap
			}
			all = append(all, verdict.Gap{Console: endpoint.Device, Offset: gap.Offset, Bytes: bytes, Cause: gap.Cause})
		}
	}
	return all
}

// slow reports whether the guest may only need more time: it is emulated, and a console still
// prints.
func (s *Suite) slow() bool {
	return s.vm.Status().Accel == "tcg" && slices.ContainsFunc(s.consoles, (*Console).prints)
}

// shellCheck returns a check that needs a shell on each of the consoles.
func shellCheck(name string, run func(context.Context) error, consoles ...vmconfig.Console) Check {
	check := Check{Name: name, Run: run, Needs: []string{namePrinted}}
	for _, console := range consoles {
		if login := nameLogin(console.Device); login != name {
			check.Needs = append(check.Needs, login)
		}
		if !console.HasLogin() {
			check.Skip = noLogin
		}
	}
	return check
}

// stop returns the last check. A guest with a login must react to the power button. A guest
// without one may have no ACPI, or may have ended by itself.
func (s *Suite) stop() Check {
	if slices.ContainsFunc(s.machine.Consoles, vmconfig.Console.HasLogin) {
		return Check{Name: nameShutdown, Run: s.shutdown, Needs: []string{namePrinted}, Always: true}
	}
	return Check{Name: nameEnds, Run: s.end, Needs: []string{namePrinted}, Always: true, AfterEnd: true}
}

// start waits until QEMU runs.
func (s *Suite) start(ctx context.Context) error {
	select {
	case <-s.vm.Ready():
		s.began = time.Now()
		return nil
	case <-ctx.Done():
		return failed("QEMU has not started", context.Cause(ctx), "")
	}
}

// connect waits until a console has printed something, and connects to all of them. Each
// connection must begin with the console's first byte.
func (s *Suite) connect(ctx context.Context) error {
	if s.began.IsZero() {
		return needs("the VM has not started")
	}
	select {
	case <-s.vm.Printed():
	case <-ctx.Done():
		return failed("no console has printed anything", context.Cause(ctx), "")
	}
	for _, endpoint := range s.vm.Status().Consoles {
		if clients := len(endpoint.Relay.Clients); clients > 0 {
			return fmt.Errorf("%s: %d clients are connected already", endpoint.Device, clients)
		}
		console, err := Dial(ctx, endpoint.Device, address(endpoint))
		if err != nil {
			return err
		}
		if s.Live != nil {
			console.Live = s.Live(console.Device)
		}
		s.consoles = append(s.consoles, console)
		s.readers.Go(console.Run)
	}
	return s.firstBytes(ctx)
}

// firstBytes compares the first bytes of each client with those of the journal.
func (s *Suite) firstBytes(ctx context.Context) error {
	for i, endpoint := range s.vm.Status().Consoles {
		kept, err := s.firstKept(ctx, endpoint)
		if err != nil {
			return err
		}
		if err := s.consoles[i].Began(ctx, kept); err != nil {
			return err
		}
	}
	return nil
}

// firstKept returns the first bytes of this boot in a console's journal.
func (s *Suite) firstKept(ctx context.Context, endpoint state.Console) ([]byte, error) {
	stream, err := s.vm.Stream(ctx, ctl.StreamRequest{Console: endpoint.Name})
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	kept := make([]byte, min(int64(beginning), endpoint.Relay.End-endpoint.Relay.Start))
	_, err = io.ReadFull(stream, kept)
	return kept, err
}

func address(endpoint state.Console) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(endpoint.Port))
}

// login logs in on device. If that fails, the error has what diagnose finds.
func (s *Suite) login(device string) func(context.Context) error {
	return func(ctx context.Context) error {
		console, err := s.console(device)
		if err != nil {
			return err
		}
		if err := console.Login(ctx); err != nil {
			return s.diagnose(ctx, device, err)
		}
		s.shells[device] = console
		return nil
	}
}

// ToLogin returns the time from QEMU's start to the first login prompt; 0 if there was none.
func (s *Suite) ToLogin() time.Duration {
	first := time.Duration(0)
	for _, console := range s.consoles {
		if took := console.prompted.Sub(s.began); took > 0 && (first == 0 || took < first) {
			first = took
		}
	}
	return first
}

// shell returns the console of device if a shell answers on it.
func (s *Suite) shell(device string) (*Console, error) {
	if console := s.shells[device]; console != nil {
		return console, nil
	}
	return nil, needs("no login on " + device)
}

// anyShell returns a console on which a shell answers.
func (s *Suite) anyShell() (*Console, error) {
	for _, console := range s.consoles {
		if s.shells[console.Device] != nil {
			return console, nil
		}
	}
	return nil, needs("no login on any console")
}

// shutdown presses the power button. It returns an error unless the guest shuts down by it
// and nothing is left behind.
func (s *Suite) shutdown(ctx context.Context) error {
	// ctx may end before the time that a stop needs at least.
	report, err := s.vm.Stop(context.WithoutCancel(ctx), ctl.StopRequest{Button: true, Timeout: left(ctx, ctl.DefaultTimeout)})
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

// left returns how long a stop may take: until ctx ends with the limit of the check, at most most, and
// at least a second. The guest has at least half of it to react to the power button.
func left(ctx context.Context, most time.Duration) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return max(time.Second, min(most, time.Until(deadline)))
	}
	return most
}

// politeLimit bounds the stop of a guest that may ignore the power button: the guest has
// half of it to react.
const politeLimit = 10 * time.Second

// end stops the machine in any way, unless it has ended by itself.
func (s *Suite) end(ctx context.Context) error {
	if _, err := s.vm.Stop(ctx, ctl.StopRequest{Timeout: left(ctx, politeLimit)}); err != nil {
		return err
	}
	select {
	case <-s.vm.Finished():
		return s.vm.Leftovers()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

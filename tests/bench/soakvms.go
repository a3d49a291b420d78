package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"microvm-console/internal/ctl"
	"microvm-console/internal/state"
)

// guestVM is a VM of the demo. Its guest prints records on both consoles.
type guestVM struct {
	*daemon
	name    string
	client  ctl.Client
	streams []*followed // of ttyS0 and hvc0
}

// guestPrints is a shell script that prints records on both terminals until /tmp/stop exists, and
// then writes their number. With -opost a line ends with a line feed only.
const guestPrints = `[ ! -e /tmp/print ] || exit 0
cat >/tmp/print <<'END'
i=0
while [ ! -e /tmp/stop ]; do
	n=0
	while [ $n -lt 8 ]; do printf '#%015x%s\n' $i PAD; i=$((i+1)); n=$((n+1)); done
	sleep 0.1
done
echo $i >/tmp/printed.$1
END
dmesg -n 1
for d in ttyS0 hvc0; do
	stty -F /dev/$d -opost
	setsid sh /tmp/print $d </dev/null >/dev/$d 2>/dev/null &
done`

const guestStops = `touch /tmp/stop
for d in ttyS0 hvc0; do while [ ! -s /tmp/printed.$d ]; do sleep 0.1; done; cat /tmp/printed.$d; done`

// boot starts the VM, waits for both logins, and starts guestPrints.
func (v *guestVM) boot(ctx context.Context, s *soak) error {
	if err := v.start(); err != nil {
		return err
	}
	var status state.Machine
	err := until(ctx, v.name+" is ready", func() (ready bool) {
		var err error
		status, err = v.client.Status(ctx)
		return err == nil && status.State == state.Ready && status.Agent
	})
	if err != nil {
		return err
	}
	for _, console := range status.Consoles {
		if (<-login(ctx, fmt.Sprintf("127.0.0.1:%d", console.Port))).IsZero() {
			return fmt.Errorf("%s: no login on %s", v.name, console.Device)
		}
	}
	pad := strings.Repeat(".", recordBytes-headBytes-1)
	_, err = v.exec(ctx, strings.Replace(guestPrints, "PAD", pad, 1))
	return err
}

// exec runs a script in the guest. It may run the script twice, because on a busy machine the agent
// may not answer in time.
func (v *guestVM) exec(ctx context.Context, script string) (string, error) {
	var output []byte
	var failed error
	err := until(ctx, "microvm-exec "+v.name, func() bool {
		output, failed = exec.CommandContext(ctx, v.program("microvm-exec"), "--name", v.name, "--", "sh", "-c", script).Output()
		return failed == nil
	})
	if err != nil {
		err = errors.Join(err, failed)
	}
	return string(output), err
}

// stopPrinting makes the guest stop printing, and waits until its output is read.
func (v *guestVM) stopPrinting(ctx context.Context) error {
	output, err := v.exec(ctx, guestStops)
	if err != nil {
		return err
	}
	printed := strings.Fields(output)
	if len(printed) != len(v.streams) {
		return fmt.Errorf("%s: printed %q", v.name, output)
	}
	for i, stream := range v.streams {
		records, err := strconv.ParseInt(printed[i], 10, 64)
		if err == nil {
			err = stream.settle(ctx, records*recordBytes)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// shutdown shuts the VM down with microvm-shutdown.
func (v *guestVM) shutdown(ctx context.Context, s *soak) error {
	if err := v.stopPrinting(ctx); err != nil {
		return err
	}
	v.expectEnd()
	output, err := exec.CommandContext(ctx, v.program("microvm-shutdown"), "--name", v.name, "--timeout", "5m").CombinedOutput()
	if err != nil {
		return fmt.Errorf("microvm-shutdown %s: %w: %s", v.name, err, output)
	}
	if code := v.wait(); code != 0 {
		s.fault("%s: microvm-run ended with status %d", v.name, code)
	}
	return nil
}

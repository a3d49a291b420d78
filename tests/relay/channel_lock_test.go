package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"microvm-console/tests/internal/harness"
)

// lockChannel takes a channel's seat, which is free.
func lockChannel(t *testing.T, name string) (*os.File, error) {
	seat, err := os.OpenFile(privatePath(t, name, "vm.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for late := time.Now().Add(harness.WaitLimit); ; time.Sleep(time.Millisecond) {
		err := syscall.Flock(int(seat.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return seat, nil
		}
		if time.Now().After(late) { // a relay looks for an instant whether it is taken
			return nil, errors.Join(fmt.Errorf("%s: %w", seat.Name(), err), seat.Close())
		}
	}
}

// markBoot asks the relay for a boot, until one answers. Where one is killed
// meanwhile, it may have marked a boot of which nothing is printed.
func markBoot(relay *relayProcess, name string) error {
	for {
		up := relay.awaitUp(context.Background())
		response, err := controlClient(relay.t, name).Post("http://channel/boot", "", nil)
		if err != nil && up.Err() != nil {
			continue
		}
		if err != nil {
			return err
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		switch {
		case response.StatusCode == 200:
			return nil
		case err == nil:
			return fmt.Errorf("boot: %s: %s", response.Status, text)
		case up.Err() == nil:
			return err
		}
	}
}

// lockSerial takes the serial channel's seat and has a boot marked. The caller closes it.
func lockSerial(t *testing.T, relay *relayProcess) *os.File {
	t.Helper()
	seat, err := lockChannel(t, "serial")
	if err == nil {
		err = markBoot(relay, "serial")
	}
	if err != nil {
		t.Fatal(err)
	}
	return seat
}

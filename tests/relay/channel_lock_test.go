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

// lockChannel acquires the VM lock of a channel, as run-qemu does. The caller closes the file.
func lockChannel(t *testing.T, name string) (*os.File, error) {
	lock, err := os.OpenFile(privatePath(t, name, "vm.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for late := time.Now().Add(harness.WaitLimit); ; time.Sleep(time.Millisecond) {
		err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return lock, nil
		}
		if time.Now().After(late) { // a relay holds it for a moment, to check whether it is free
			return nil, errors.Join(fmt.Errorf("%s: %w", lock.Name(), err), lock.Close())
		}
	}
}

// markBoot asks the relay to mark a boot, and repeats that until a relay answers. A relay that
// is killed meanwhile may have marked a boot without output.
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

// lockSerial acquires the VM lock of the serial channel and marks a boot. The caller closes the
// file.
func lockSerial(t *testing.T, relay *relayProcess) *os.File {
	t.Helper()
	lock, err := lockChannel(t, "serial")
	if err == nil {
		err = markBoot(relay, "serial")
	}
	if err != nil {
		t.Fatal(err)
	}
	return lock
}

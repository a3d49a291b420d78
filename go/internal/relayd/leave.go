package relayd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
)

// drainLimit is how long a relay may take for what QEMU has left: 1 MiB at most.
const drainLimit = 5 * time.Second

// keepOut opens what QEMU prints to, so that it outlives QEMU also where the
// channel's service is stopped. Only for reading: who has it open for both is
// taken for a QEMU.
func (s *Lease) keepOut() (err error) {
	s.out, err = os.OpenFile(relay.VMPath(s.dir.Path())+".out", os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	return err
}

// EndBoot records how the boot has ended; see journal.Journal.EndBoot. The caller has
// called AwaitDrained, and calls Leave next. An error costs nothing but this record.
func (s *Lease) EndBoot(ctx context.Context, how string) error {
	if s.own != nil {
		s.own.console.Relay().EndBoot(how)
		return nil
	}
	err := s.client.EndBoot(ctx, how)
	if err != nil && !s.dir.Running() { // its service was stopped meanwhile
		return s.stepIn(func(own *Channel) { own.console.Relay().EndBoot(how) })
	}
	return err
}

// NoteRestart records that the guest has restarted by itself. An error costs nothing but
// this record.
func (s *Lease) NoteRestart(ctx context.Context) error {
	if s.own != nil {
		s.own.console.Relay().NoteRestart()
		return nil
	}
	return s.client.NoteRestart(ctx)
}

// Leave gives up the channel, unless a QEMU has it, once all that was printed is in
// the journal. A relay that is carried ends, once all is with its clients.
func (s *Lease) Leave() error {
	var err error
	if s.own != nil {
		s.lock.Close() // it sees the VM leave
		s.stop()
		err = <-s.done
	} else if s.out != nil {
		err = s.AwaitDrained()
	}
	if s.out != nil {
		s.out.Close()
	}
	s.lock.Close()
	if err != nil {
		return fmt.Errorf("relay: %w", err)
	}
	return nil
}

// AwaitDrained waits until all that QEMU has printed is in the journal, and takes it
// there if the channel's service was stopped meanwhile. A splice holds the pipe until the
// bytes are in the file: an empty pipe is a journal that has all.
func (s *Lease) AwaitDrained() error {
	for deadline := time.Now().Add(drainLimit); ; time.Sleep(time.Millisecond) {
		left, err := unix.IoctlGetInt(int(s.out.Fd()), unix.TIOCINQ)
		switch {
		case err != nil || left == 0:
			return err
		case time.Now().After(deadline):
			return fmt.Errorf("channel %q: it has not taken the last %d bytes yet (see qemu-relay status)", s.dir.Name(), left)
		case s.dir.Running():
			continue
		}
		if err := s.stepIn(func(*Channel) {}); err != nil && !errors.Is(err, rundir.ErrLocked) {
			return err
		}
	}
}

// stepIn runs a relay for a service that was stopped: until all is taken. first is called
// before.
func (s *Lease) stepIn(first func(*Channel)) error {
	own, err := Open(s.config)
	if err != nil {
		return err
	}
	first(own)
	ended, end := context.WithCancel(context.Background())
	end()
	return own.Run(ended)
}

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

// Leave gives up the channel, unless a QEMU has it, once all that was printed is in
// the journal. A relay that is carried ends, once all is with its clients.
func (s *Lease) Leave() error {
	var err error
	if s.own != nil {
		s.lock.Close() // it sees the VM leave
		s.stop()
		err = <-s.done
	} else if s.out != nil {
		err = s.awaitDrained()
	}
	if s.out != nil {
		s.out.Close()
	}
	s.lock.Close() // also where it has been handed over
	if err != nil {
		return fmt.Errorf("relay: %w", err)
	}
	return nil
}

// awaitDrained waits until the channel's relay has taken all, and where it was
// stopped meanwhile, does that for it. A splice holds the pipe until the bytes
// are in the file: an empty pipe is a journal that has all.
func (s *Lease) awaitDrained() error {
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
		if err := s.drain(); err != nil && !errors.Is(err, rundir.ErrLocked) {
			return err
		}
	}
}

// drain runs a relay that ends when all is taken.
func (s *Lease) drain() error {
	own, err := Open(s.config)
	if err != nil {
		return err
	}
	ended, end := context.WithCancel(context.Background())
	end()
	return own.Run(ended)
}

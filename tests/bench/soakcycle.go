package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The number of cycles after which a process is restarted. A quarter of an hour has 15 cycles, so
// that the processes have the same ages in each quarter, except the last relay.
var (
	relayLives = []int{2, 3, 30}
	vmLives    = []int{3, 5, 15}
)

// killedVM is the VM that every other restart ends with SIGKILL.
const killedVM = 1

const (
	fullDisks  = "full disks"     // the name of their counter
	fullFor    = 10 * time.Second // how long the disk stays full
	settledFor = 5 * time.Second  // pause without clients and restarts before descriptors are counted
)

// cycle runs a storm of clients. During the storm it fills the disk and restarts processes, if due.
// After the storm it waits, and then counts the descriptors.
func (s *soak) cycle(ctx context.Context, number int) error {
	end := time.Now().Add(s.every)
	var storm sync.WaitGroup
	storm.Go(func() { s.storm(ctx) })
	err := pause(ctx, time.Second)
	if due := int((soakDisks + 1) * time.Since(s.begin) / s.length); err == nil && s.count[fullDisks] < min(due, soakDisks) {
		err = s.fullDisk(ctx)
	}
	if err == nil {
		err = s.restarts(ctx, number)
	}
	storm.Wait()
	if err == nil {
		err = pause(ctx, max(settledFor, time.Until(end)))
	}
	if err != nil {
		return err
	}
	s.sample(true)
	s.progress(number)
	return nil
}

func pause(ctx context.Context, length time.Duration) error {
	select {
	case <-time.After(length):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// restarts restarts the processes that are due.
func (s *soak) restarts(ctx context.Context, number int) error {
	for i, relay := range s.relays {
		if number%relayLives[i] > 0 {
			continue
		}
		s.count["SIGKILLs of a relay"]++
		relay.end(unix.SIGKILL)
		if err := relay.start(); err != nil {
			return err
		}
	}
	for i, vm := range s.vms {
		if number%vmLives[i] > 0 {
			continue
		}
		if i == killedVM && number/vmLives[i]%2 == 1 {
			s.count["SIGKILLs of microvm-run"]++
			vm.end(unix.SIGKILL)
		} else {
			s.count["clean stops of a VM"]++
			if err := vm.shutdown(ctx, s); err != nil {
				return err
			}
		}
		if err := vm.boot(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// fullDisk fills the journals' disk, again and again while the journals free space, and waits until
// every stream continues.
func (s *soak) fullDisk(ctx context.Context) error {
	s.count[fullDisks]++
	s.setFull(true)
	defer s.setFull(false)
	path := filepath.Join(s.work, "state", "filler")
	filler, err := os.Create(path)
	if err != nil {
		return err
	}
	block := make([]byte, os.Getpagesize())
	for end := time.Now().Add(fullFor); time.Now().Before(end) && ctx.Err() == nil; {
		if _, err := filler.Write(block); errors.Is(err, unix.ENOSPC) {
			time.Sleep(time.Millisecond)
		} else if err != nil {
			return errors.Join(err, filler.Close())
		}
	}
	if err := errors.Join(filler.Close(), os.Remove(path)); err != nil {
		return err
	}
	for _, stream := range s.streams {
		before := stream.read()
		if err := until(ctx, stream.name+" continues after the disk was full", func() bool { return stream.read() > before }); err != nil {
			return err
		}
	}
	return nil
}

func (s *soak) setFull(full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = full
}

// finish ends all printers, and compares their output with what was read and with the files of the
// journals.
func (s *soak) finish(ctx context.Context) error {
	for _, relay := range s.relays {
		printed, err := relay.stopPrinting()
		if err == nil {
			err = relay.stream.settle(ctx, printed)
		}
		if err != nil {
			return err
		}
	}
	for _, vm := range s.vms {
		if err := vm.stopPrinting(ctx); err != nil {
			return err
		}
	}
	for _, stream := range s.streams {
		if err := stream.checkFiles(ctx); err != nil {
			return err
		}
	}
	return nil
}

// kill kills the processes that still run.
func (s *soak) kill() {
	for _, vm := range s.vms {
		vm.end(unix.SIGTERM)
	}
	for _, relay := range s.relays {
		relay.printer.stop()
		relay.end(unix.SIGTERM)
	}
}

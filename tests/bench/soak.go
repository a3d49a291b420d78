package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// soak runs three VMs and three channels for a long time. It restarts them, connects many clients
// at once, and fills the disk.
type soak struct {
	demo   string // folder of the demo package
	relay  string // path of qemu-relay
	work   string // folder for temporary files
	length time.Duration
	every  time.Duration // least length of a cycle
	begin  time.Time

	relays     []*relayed
	vms        []*guestVM
	streams    []*followed
	storms     storms
	count      map[string]int
	background sync.WaitGroup // the goroutines that run until the end

	mu     sync.Mutex
	full   bool     // whether the disk is full
	used   [2]int64 // bytes used on the journals' disk: the maximum while it is not full, and the last value
	faults []string
}

const (
	soakDisk  = "512m" // size of the file system of the journals
	soakDisks = 2      // how often the disk is filled
)

// soakBars is returned if the run has not met a target.
var soakBars = errors.New("soak: a target is missed")

// measureSoak is `bench soak`. It must run in its own mount namespace.
func measureSoak(command string, args []string) error {
	s := &soak{count: map[string]int{}}
	flags := flag.NewFlagSet("bench soak", flag.ContinueOnError)
	quick := flags.Bool("quick", false, "run for two minutes, and write no files")
	minutes := flags.Int("minutes", 60, "run for this many `MINUTES`")
	output := flags.String("output", "", "write soak.md into `DIR` (docs/performance, unless --quick)")
	flags.StringVar(&s.demo, "demo", "result-demo", "`FOLDER` of the demo package")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s.length, s.every = time.Duration(*minutes)*time.Minute, time.Minute
	if *quick {
		s.length, s.every = 2*time.Minute, 20*time.Second
	} else if *output == "" {
		*output = "docs/performance"
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	machine, err := s.all(ctx, command)
	if err != nil {
		return fmt.Errorf("%w (the logs are in %s)", err, s.work)
	}
	table, met := s.table(machine)
	fmt.Println(table)
	if *output != "" {
		err = insert(filepath.Join(*output, "soak.md"), "A soak of one hour", table)
	}
	if !met {
		return errors.Join(err, fmt.Errorf("%w (the logs are in %s)", soakBars, s.work))
	}
	return errors.Join(err, os.RemoveAll(s.work))
}

// all prepares the run, runs all cycles and ends the processes.
func (s *soak) all(ctx context.Context, command string) (machine map[string]string, err error) {
	s.relay = filepath.Join(s.demo, "bin", "qemu-relay")
	if s.work, err = os.MkdirTemp("", "bench-"); err != nil {
		return nil, err
	}
	state := filepath.Join(s.work, "state")
	if err := os.Mkdir(state, 0o700); err != nil {
		return nil, err
	}
	if err := unix.Mount("tmpfs", state, "tmpfs", 0, "mode=700,size="+soakDisk); err != nil {
		return nil, fmt.Errorf("mount: %w (scripts/bench runs it in a mount namespace)", err)
	}
	defer func() { err = errors.Join(err, unix.Unmount(state, unix.MNT_DETACH)) }()
	// The programs and our own packages find the run and state folders by these variables.
	if err := errors.Join(os.Setenv("XDG_RUNTIME_DIR", s.work), os.Setenv("XDG_STATE_HOME", state)); err != nil {
		return nil, err
	}
	machine = describe(&bench{command: command, relay: s.relay, work: s.work})
	ctx, stop := context.WithCancel(ctx)
	defer s.background.Wait()
	defer stop()
	defer s.kill()
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	s.begin = time.Now()
	s.background.Go(func() { s.watch(ctx) })
	for number := 1; time.Since(s.begin) < s.length || s.count[fullDisks] < soakDisks; number++ {
		if err := s.cycle(ctx, number); err != nil { // the results are printed nevertheless
			s.fault("cycle %d: %v", number, err)
			break
		}
	}
	machine["seconds"] = fmt.Sprintf("%.0f", time.Since(s.begin).Seconds())
	if err := s.finish(ctx); err != nil {
		s.fault("the end: %v", err)
	}
	return machine, nil
}

// fault records an error that does not end the run.
func (s *soak) fault(format string, values ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := fmt.Sprintf(format, values...)
	s.faults = append(s.faults, text)
	fmt.Fprintf(os.Stderr, "%4.0f s  %s\n", time.Since(s.begin).Seconds(), strings.TrimSpace(text))
}

// until waits until done returns true. It returns an error that contains what if that takes longer
// than soakLimit.
func until(ctx context.Context, what string, done func() bool) error {
	for late := time.Now().Add(soakLimit); !done(); {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(late) {
			return fmt.Errorf("%s: not within %v", what, soakLimit)
		}
	}
	return nil
}

// soakLimit is the time limit of each wait. A boot takes minutes on a busy machine.
const soakLimit = 10 * time.Minute

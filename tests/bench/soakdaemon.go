package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// daemon is one of our programs, which is restarted again and again.
type daemon struct {
	role string
	dir  string // of the demo's programs
	log  string
	args []string

	mu     sync.Mutex
	run    *exec.Cmd // nil if none runs
	ending bool      // the process is being ended
	ended  chan struct{}
	lives  []*life
}

// life is one process of a daemon, with its samples.
type life struct {
	begun   time.Time
	samples []sample
}

// sample is the resource usage of a process at one time.
type sample struct {
	time        time.Time
	rss         float64 // MiB
	descriptors int
	quiet       bool // only the followers are connected, and nothing is being restarted
}

// daemon returns a daemon that runs a program of the demo.
func (s *soak) daemon(role, program string, args ...string) *daemon {
	dir := filepath.Join(s.demo, "bin")
	log := filepath.Join(s.work, strings.ReplaceAll(role, " ", "-")+".log")
	return &daemon{role: role, dir: dir, log: log, args: append([]string{filepath.Join(dir, program)}, args...)}
}

// program returns the path of another program of the demo.
func (d *daemon) program(name string) string { return filepath.Join(d.dir, name) }

func (d *daemon) start() error {
	log, err := os.OpenFile(d.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	run := exec.Command(d.args[0], d.args[1:]...)
	run.Stdout, run.Stderr = log, log
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C signals only this process
	if err := run.Start(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.run, d.ending, d.ended = run, false, make(chan struct{})
	d.lives = append(d.lives, &life{begun: time.Now()})
	go func(ended chan struct{}) {
		_ = run.Wait()
		close(ended)
	}(d.ended)
	return nil
}

// wait waits for the end of the process and returns its exit status.
func (d *daemon) wait() int {
	<-d.ended
	d.mu.Lock()
	defer d.mu.Unlock()
	code := d.run.ProcessState.ExitCode()
	d.run = nil
	return code
}

// expectEnd records that the process is being ended.
func (d *daemon) expectEnd() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ending = true
}

// end sends a signal and waits for the end.
func (d *daemon) end(signal unix.Signal) {
	if d.run != nil {
		d.expectEnd()
		_ = d.run.Process.Signal(signal) // an error means that it has ended
		d.wait()
	}
}

// sample records the current usage of the process. It is an error if the process has ended by
// itself.
func (d *daemon) sample(quiet bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.run == nil || d.ending {
		return nil
	}
	select {
	case <-d.ended:
		return fmt.Errorf("%s has ended: %v (see %s)", d.role, d.run.ProcessState, d.log)
	default:
	}
	proc := fmt.Sprintf("/proc/%d/", d.run.Process.Pid)
	open, err := os.ReadDir(proc + "fd")
	if err != nil {
		return nil //nolint:nilerr // it has just ended
	}
	newest := d.lives[len(d.lives)-1]
	newest.samples = append(newest.samples, sample{time.Now(), float64(number(proc+"status", "VmRSS:")) / 1024, len(open), quiet})
	return nil
}

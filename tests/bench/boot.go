package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// bootLimit is the time limit for a guest from start to end.
const bootLimit = 3 * time.Minute

var (
	accelLine = regexp.MustCompile(`: (?:emulated \()?(TCG|KVM)\)?, `)
	portLine  = regexp.MustCompile(`(ttyS0|hvc0) +tcp localhost:(\d+)`)
)

// boot starts a guest with flags of microvm-run, waits for both logins, and stops the guest.
// seconds has the values of bootFigures.
func (k *kernels) boot(ctx context.Context, demo string, flags ...string) (accel string, seconds []float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	run := k.command(ctx, demo, "microvm-run", append(flags, "--auto-ports")...)
	lines, err := run.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	begin := time.Now()
	if err := run.Start(); err != nil {
		return "", nil, err
	}
	defer func() {
		cancel() // kills the guest if it was not stopped
		_ = run.Wait()
	}()
	var qemu time.Time
	logins := map[string]<-chan time.Time{}
	for text := bufio.NewScanner(lines); len(logins) < 2; {
		if !text.Scan() {
			return "", nil, fmt.Errorf("microvm-run: no ports in its output: %w", io.ErrUnexpectedEOF)
		}
		if found := accelLine.FindStringSubmatch(text.Text()); found != nil {
			accel, qemu = strings.ToLower(found[1]), time.Now()
		}
		if found := portLine.FindStringSubmatch(text.Text()); found != nil {
			logins[found[1]] = login(ctx, "127.0.0.1:"+found[2])
		}
	}
	go io.Copy(io.Discard, lines) //nolint:errcheck // ends with microvm-run
	serial, console := <-logins["ttyS0"], <-logins["hvc0"]
	if serial.IsZero() || console.IsZero() {
		return "", nil, fmt.Errorf("no login within %v", bootLimit)
	}
	stop := time.Now()
	if output, err := k.command(ctx, demo, "microvm-shutdown").CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("microvm-shutdown: %w: %s", err, output)
	}
	if err := run.Wait(); err != nil {
		return "", nil, fmt.Errorf("microvm-run: %w", err)
	}
	ended := time.Now()
	return accel, []float64{
		serial.Sub(begin).Seconds(), console.Sub(begin).Seconds(), serial.Sub(qemu).Seconds(), ended.Sub(stop).Seconds(),
		(run.ProcessState.UserTime() + run.ProcessState.SystemTime()).Seconds(), // including its children
	}, nil
}

// command returns a command of a demo's program, whose files are in our folder.
func (k *kernels) command(ctx context.Context, demo, name string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, filepath.Join(demo, "bin", name), args...)
	command.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+k.work, "XDG_STATE_HOME="+filepath.Join(k.work, "state"))
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 10 * time.Second
	command.Stderr = nil
	return command
}

// login returns a channel that receives the time of the login prompt, or the zero time if the
// connection ends without one.
func login(ctx context.Context, address string) <-chan time.Time {
	asked := make(chan time.Time, 1)
	go func() {
		defer close(asked)
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return
		}
		defer conn.Close()
		defer context.AfterFunc(ctx, func() { conn.Close() })()
		var text []byte
		for block := make([]byte, 4096); ; {
			n, err := conn.Read(block)
			if text = append(text, block[:n]...); bytes.Contains(text, []byte("login: ")) {
				asked <- time.Now()
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return asked
}

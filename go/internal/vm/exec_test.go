package vm

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/guestagent"
)

// collected collects a command's output and exit status.
type collected struct {
	mu       sync.Mutex
	out, err bytes.Buffer
	end      *ctl.ExecEnd
}

func (c *collected) add(frame ctl.ExecFrame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.Write(frame.Stdout)
	c.err.Write(frame.Stderr)
	if frame.End != nil {
		c.end = frame.End
	}
	return nil
}

func (c *collected) printed() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.String()
}

func shell(script string) ctl.ExecRequest {
	return ctl.ExecRequest{Command: []string{"sh", "-c", script}}
}

func TestExec(t *testing.T) {
	for _, agent := range []string{"fake.agent", "fake.agent=stock"} {
		t.Run(agent, func(t *testing.T) {
			v, ended := run(t, machine(t, agent))
			started(t, v)
			for _, test := range []struct {
				name     string
				request  ctl.ExecRequest
				out, err string
				end      ctl.ExecEnd
			}{
				{"both streams and a status", shell("echo out; echo err >&2; exit 3"), "out\n", "err\n", ctl.ExecEnd{Status: 3}},
				{"a signal", shell("kill -9 $$"), "", "", ctl.ExecEnd{Signal: 9}},
				{"an input", ctl.ExecRequest{Command: []string{"cat"}, Input: []byte("\x00\xff\n")}, "\x00\xff\n", "", ctl.ExecEnd{}},
				{"an environment", ctl.ExecRequest{Command: []string{"/bin/sh", "-c", "echo $X"}, Env: []string{"X=a b"}}, "a b\n", "", ctl.ExecEnd{}},
				{"much output", shell("seq 1 100000 | tail -c 500000"), numbers(100000, 500000), "", ctl.ExecEnd{}},
			} {
				var got collected
				err := v.Exec(t.Context(), test.request, got.add)
				if err != nil || got.out.String() != test.out || got.err.String() != test.err || got.end == nil || *got.end != test.end {
					t.Errorf("%s: %v, %d and %d bytes, %+v", test.name, err, got.out.Len(), got.err.Len(), got.end)
				}
			}
			for _, test := range []struct {
				request ctl.ExecRequest
				want    error
			}{
				{ctl.ExecRequest{Command: []string{"no-such-program"}}, ctl.ErrNoProgram},
				{ctl.ExecRequest{Command: []string{"/etc/passwd"}}, ctl.ErrCannotStart},
				{ctl.ExecRequest{Command: []string{"cat"}, Input: make([]byte, guestagent.MaxInput+1)}, ctl.ErrTooLong},
			} {
				if err := v.Exec(t.Context(), test.request, new(collected).add); !errors.Is(err, test.want) {
					t.Errorf("%q: %v, want %v", test.request.Command, err, test.want)
				}
			}
			stop(t, v, ended)
		})
	}
}

// numbers returns the last bytes of the numbers from 1 to n, one per line.
func numbers(n, bytes int) string {
	var text strings.Builder
	for i := range n {
		text.WriteString(strconv.Itoa(i+1) + "\n")
	}
	return text.String()[text.Len()-bytes:]
}

// Two commands run at the same time, each waiting for the other. A stop ends a third one.
func TestConcurrentCommands(t *testing.T) {
	v, ended := run(t, machine(t, "fake.agent"))
	started(t, v)
	dir := t.TempDir()
	var both sync.WaitGroup
	for _, names := range [][2]string{{"a", "b"}, {"b", "a"}} {
		both.Go(func() {
			var got collected
			script := "cd " + dir + "; touch " + names[0] + "; until [ -e " + names[1] + " ]; do sleep 0.01; done; echo met"
			if err := v.Exec(t.Context(), shell(script), got.add); err != nil || got.printed() != "met\n" {
				t.Errorf("%v, %q", err, got.printed())
			}
		})
	}
	both.Wait()
	left := make(chan error, 1)
	go func() {
		left <- v.Exec(t.Context(), shell("while [ -e "+dir+" ]; do sleep 0.1; done"), new(collected).add)
	}()
	await(t, "command", func() bool { return v.executing.Load() == 1 })
	report, err := v.Stop(t.Context(), ctl.StopRequest{})
	if err != nil || report.Stage != "agent" {
		t.Errorf("stopped by %+v, %v", report, err)
	}
	if err := <-left; err == nil {
		t.Error("no error for a command whose guest has ended")
	}
	<-ended
}

// Output is sent while the command runs. The end of the context kills the command and the
// processes that it has started.
func TestContextEndKillsTheCommand(t *testing.T) {
	for _, agent := range []string{"fake.agent", "fake.agent=stock"} {
		v, ended := run(t, machine(t, agent))
		started(t, v)
		file := filepath.Join(t.TempDir(), "pids")
		ctx, cancel := context.WithCancel(t.Context())
		script := "echo $$ >" + file + ".new; mv " + file + ".new " + file + "; echo live; exec sleep 1000"
		var got collected
		left := make(chan error, 1)
		go func() { left <- v.Exec(ctx, shell(script), got.add) }()
		if agent == "fake.agent" {
			await(t, "output", func() bool { return got.printed() == "live\n" })
		}
		var pid int
		await(t, "process", func() bool {
			text, err := os.ReadFile(file)
			pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
			return err == nil
		})
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		await(t, "end of the process", func() bool { return !alive(pid) })
		stop(t, v, ended)
	}
}

func TestExecWithoutAnAgent(t *testing.T) {
	v, ended := run(t, machine(t, "fake.print="+printed(t, loginText)))
	if err := ready(t, v); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	err := v.Exec(t.Context(), shell("true"), new(collected).add)
	if !errors.Is(err, ctl.ErrNoAgent) || !strings.Contains(err.Error(), "(run microvm-agent or qemu-ga in the guest)") {
		t.Errorf("got %v", err)
	}
	if waited := time.Since(begin); waited < agentLimit {
		t.Errorf("the error came after %v", waited)
	}
	stop(t, v, ended)
}

package server_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"microvm-console/internal/guestagent"
)

// streamed runs a script with Stream, and returns its output.
func streamed(ctx context.Context, t *testing.T, client *guestagent.Client, script string) (out, err []byte, last guestagent.ExecOutput) {
	t.Helper()
	request := shell(script)
	request.Stream = true
	pid, failed := client.Exec(ctx, request)
	if failed != nil {
		t.Fatal(failed)
	}
	for !last.Exited {
		last, failed = client.ExecOutput(ctx, pid, int64(len(out)), int64(len(err)), time.Second)
		if failed != nil {
			t.Fatal(failed)
		}
		out, err = append(out, last.Out...), append(err, last.Err...)
	}
	return out, err, last
}

func TestStream(t *testing.T) {
	ctx, client, _ := connected(t)
	out, err, last := streamed(ctx, t, client, "echo one; echo two >&2; echo three; exit 7")
	if string(out) != "one\nthree\n" || string(err) != "two\n" || last.ExitCode != 7 || last.Signal != 0 {
		t.Errorf("%q, %q, %+v", out, err, last)
	}
	if _, _, last = streamed(ctx, t, client, "kill -15 $$"); last.Signal != 15 || last.ExitCode != 0 {
		t.Errorf("%+v", last)
	}
}

// A command whose output exceeds the buffer waits for the reader.
func TestStreamLosesNothing(t *testing.T) {
	ctx, client, _ := connected(t)
	out, err, _ := streamed(ctx, t, client, "seq 1 200000; seq 1 50000 >&2")
	for name, stream := range map[string]struct {
		data []byte
		last int
	}{"out": {out, 200000}, "err": {err, 50000}} {
		lines := bytes.Split(bytes.TrimSuffix(stream.data, []byte("\n")), []byte("\n"))
		if len(lines) != stream.last {
			t.Fatalf("%s: %d lines, want %d", name, len(lines), stream.last)
		}
		for i, line := range lines {
			if string(line) != itoa(i+1) {
				t.Fatalf("%s: line %d is %q", name, i+1, line)
			}
		}
	}
}

func TestStreamOfARunningCommand(t *testing.T) {
	ctx, client, _ := connected(t)
	request := shell("echo first; cat /proc/self/fd/9 2>/dev/null; sleep 1000")
	request.Stream = true
	pid, err := client.Exec(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	defer kill(pid)
	var got string
	for got == "" { // each request waits a little
		output, err := client.ExecOutput(ctx, pid, 0, 0, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		got = string(output.Out)
	}
	// The output is repeated until the offset confirms it.
	again, err := client.ExecOutput(ctx, pid, 0, 0, 0)
	if err != nil || string(again.Out) != got || got != "first\n" {
		t.Errorf("%v, %q, then %q", err, got, again.Out)
	}
	none, err := client.ExecOutput(ctx, pid, int64(len(got)), 0, time.Millisecond)
	if err != nil || len(none.Out) > 0 || none.Exited {
		t.Errorf("%v, %+v", err, none)
	}
}

// The end of a stream can be requested again, since an answer may get lost.
func TestEndOfAStreamIsRepeated(t *testing.T) {
	ctx, client, _ := connected(t)
	request := shell("echo x; exit 5")
	request.Stream = true
	pid, err := client.Exec(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	for times := 0; times < 2; {
		output, err := client.ExecOutput(ctx, pid, 0, 0, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if output.Exited {
			times++
			if output.ExitCode != 5 || string(output.Out) != "x\n" {
				t.Errorf("%+v", output)
			}
		}
	}
}

func TestOutputWithoutAStream(t *testing.T) {
	ctx, client, _ := connected(t)
	pid, err := client.Exec(ctx, shell("exit 0"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.ExecOutput(ctx, pid, 0, 0, 0); err == nil || !strings.Contains(err.Error(), "is not a stream") {
		t.Errorf("got %v", err)
	}
}

package guestagent

import (
	"context"
	"fmt"
	"time"
)

// ExecRequest is a command for the guest.
type ExecRequest struct {
	// Path is the program, a path or a name to be looked up on the PATH of
	// the agent.
	Path string
	// Args are its arguments, without its name.
	Args []string
	// Env is its environment, "NAME=value" each. nil: that of the agent.
	Env []string
	// Input is its standard input, at most MaxInput bytes.
	Input []byte
	// Capture keeps its output for ExecStatus. Else it goes nowhere.
	Capture bool
	// Stream gives its output to ExecOutput, as it comes, instead. The command waits
	// for a reader that is slow. It is for agents whose Info supports
	// CommandExecOutput.
	Stream bool
}

// ExecArgs are the arguments of CommandExec.
type ExecArgs struct {
	Path  string   `json:"path"`
	Args  []string `json:"arg,omitempty"`
	Env   []string `json:"env,omitempty"`
	Input []byte   `json:"input-data,omitempty"`
	// Capture is a bool, or since QEMU 8.0 one of the strings "none",
	// "stdout", "stderr", "separated" (true) and "merged". CaptureStream is ours.
	Capture any `json:"capture-output,omitempty"`
}

// CaptureStream is the value of capture-output by which an agent that has
// CommandExecOutput keeps the output for that command.
const CaptureStream = "microvm-stream"

// ExecStarted is the answer to CommandExec.
type ExecStarted struct {
	PID int `json:"pid"`
}

// ExecStatus is what became of a command. Agents keep 16 MiB of each stream.
type ExecStatus struct {
	Exited       bool   `json:"exited"`
	ExitCode     int    `json:"exitcode,omitempty"`
	Signal       int    `json:"signal,omitempty"` // that ended it; 0: it exited
	Out          []byte `json:"out-data,omitempty"`
	Err          []byte `json:"err-data,omitempty"`
	OutTruncated bool   `json:"out-truncated,omitempty"`
	ErrTruncated bool   `json:"err-truncated,omitempty"`
}

// PIDArgs are the arguments of CommandExecStatus.
type PIDArgs struct {
	PID int `json:"pid"`
}

// Exec starts a command in the guest and returns its process id there.
func (c *Client) Exec(ctx context.Context, r ExecRequest) (pid int, err error) {
	if len(r.Input) > MaxInput {
		return 0, fmt.Errorf("guest agent: an input of %d bytes is too long (at most %d)", len(r.Input), MaxInput)
	}
	args := ExecArgs{Path: r.Path, Args: r.Args, Env: r.Env, Input: r.Input, Capture: r.Capture}
	if r.Stream {
		args.Capture = CaptureStream
	}
	var started ExecStarted
	err = c.execute(ctx, request{command: CommandExec, args: args, changes: true}, &started)
	return started.PID, err
}

// ExecStatus asks what became of a command. Its output is there once it has
// exited, and then the agent forgets it: the next question is refused.
func (c *Client) ExecStatus(ctx context.Context, pid int) (ExecStatus, error) {
	var status ExecStatus
	err := c.execute(ctx, request{command: CommandExecStatus, args: PIDArgs{pid}, limit: MaxStatusReply}, &status)
	return status, err
}

// ExecOutput is a part of a command's output.
type ExecOutput struct {
	// Out and Err are the next bytes of both streams, from the offsets asked
	// for.
	Out []byte `json:"out-data,omitempty"`
	Err []byte `json:"err-data,omitempty"`
	// Exited tells that the command has ended, and that these bytes are its
	// last.
	Exited   bool `json:"exited"`
	ExitCode int  `json:"exitcode,omitempty"`
	Signal   int  `json:"signal,omitempty"`
}

// OutputArgs are the arguments of CommandExecOutput. What stands before an
// offset has arrived and is forgotten.
type OutputArgs struct {
	PID       int   `json:"pid"`
	OutOffset int64 `json:"out-offset"`
	ErrOffset int64 `json:"err-offset"`
	WaitMS    int   `json:"wait-ms"` // at most MaxWait
}

// ExecOutput gives what a command that was started with Stream has printed
// beyond the offsets, in bytes. Where that is nothing yet, it waits, but no
// longer than wait, and at most MaxWait milliseconds; then both are empty. A
// request that failed may be repeated.
func (c *Client) ExecOutput(ctx context.Context, pid int, outOffset, errOffset int64, wait time.Duration) (ExecOutput, error) {
	args := OutputArgs{PID: pid, OutOffset: outOffset, ErrOffset: errOffset, WaitMS: min(int(wait.Milliseconds()), MaxWait)}
	var output ExecOutput
	err := c.execute(ctx, request{command: CommandExecOutput, args: args}, &output)
	return output, err
}

package guestagent

import (
	"context"
	"fmt"
	"time"
)

// ExecRequest is a command for the guest.
type ExecRequest struct {
	// Path is the program: a path, or a name that is looked up in the agent's PATH.
	Path string
	// Args are the arguments, without the program's name.
	Args []string
	// Env is the environment, as "NAME=value"; nil for that of the agent.
	Env []string
	// Input is the standard input, at most MaxInput bytes.
	Input []byte
	// Capture keeps the output for ExecStatus. By default the output is discarded.
	Capture bool
	// Stream keeps the output for ExecOutput instead, which returns it while the command runs.
	// The command blocks if its output is not read. The agent must support CommandExecOutput.
	Stream bool
}

// ExecArgs are the arguments of CommandExec.
type ExecArgs struct {
	Path  string   `json:"path"`
	Args  []string `json:"arg,omitempty"`
	Env   []string `json:"env,omitempty"`
	Input []byte   `json:"input-data,omitempty"`
	// Capture is a bool, or since QEMU 8.0 "none", "stdout", "stderr", "separated" (true) or
	// "merged". microvm-agent also knows CaptureStream.
	Capture any `json:"capture-output,omitempty"`
}

// CaptureStream is the value of capture-output with which an agent keeps the output for
// CommandExecOutput.
const CaptureStream = "microvm-stream"

// ExecStarted is the answer to CommandExec.
type ExecStarted struct {
	PID int `json:"pid"`
}

// ExecStatus is the status of a command. Agents keep at most 16 MiB of each stream.
type ExecStatus struct {
	Exited       bool   `json:"exited"`
	ExitCode     int    `json:"exitcode,omitempty"` // 0 if a signal killed the command
	Signal       int    `json:"signal,omitempty"`   // the signal that killed the command; 0 if none
	Out          []byte `json:"out-data,omitempty"` // empty before the command has exited
	Err          []byte `json:"err-data,omitempty"` // likewise
	OutTruncated bool   `json:"out-truncated,omitempty"`
	ErrTruncated bool   `json:"err-truncated,omitempty"`
}

// PIDArgs are the arguments of CommandExecStatus.
type PIDArgs struct {
	PID int `json:"pid"`
}

// Exec starts a command in the guest and returns its process id in the guest.
func (c *Client) Exec(ctx context.Context, r ExecRequest) (pid int, err error) {
	if len(r.Input) > MaxInput {
		return 0, fmt.Errorf("guest agent: input of %d bytes is too long (at most %d)", len(r.Input), MaxInput)
	}
	args := ExecArgs{Path: r.Path, Args: r.Args, Env: r.Env, Input: r.Input, Capture: r.Capture}
	if r.Stream {
		args.Capture = CaptureStream
	}
	var started ExecStarted
	err = c.execute(ctx, request{command: CommandExec, args: args, changes: true}, &started)
	return started.PID, err
}

// ExecStatus returns the status of a command, with its output once it has exited. Then the agent
// forgets the command, so that the next call returns an error.
func (c *Client) ExecStatus(ctx context.Context, pid int) (ExecStatus, error) {
	var status ExecStatus
	err := c.execute(ctx, request{command: CommandExecStatus, args: PIDArgs{pid}, limit: MaxStatusReply}, &status)
	return status, err
}

// ExecOutput is a part of a command's output.
type ExecOutput struct {
	// Out and Err are the next bytes of stdout and stderr, from the requested offsets.
	Out []byte `json:"out-data,omitempty"`
	Err []byte `json:"err-data,omitempty"`
	// Exited is set if the command has ended and these bytes are its last.
	Exited   bool `json:"exited"`
	ExitCode int  `json:"exitcode,omitempty"`
	Signal   int  `json:"signal,omitempty"`
}

// OutputArgs are the arguments of CommandExecOutput. The agent forgets the output before the
// offsets, in bytes.
type OutputArgs struct {
	PID       int   `json:"pid"`
	OutOffset int64 `json:"out-offset"`
	ErrOffset int64 `json:"err-offset"`
	WaitMS    int   `json:"wait-ms"` // at most MaxWait
}

// ExecOutput returns the output, from the offsets in bytes, of a command that was started with
// Stream. If there is none yet, it waits for wait, but at most MaxWait milliseconds; then both
// streams may be empty. A request that failed may be repeated.
func (c *Client) ExecOutput(ctx context.Context, pid int, outOffset, errOffset int64, wait time.Duration) (ExecOutput, error) {
	args := OutputArgs{PID: pid, OutOffset: outOffset, ErrOffset: errOffset, WaitMS: min(int(wait.Milliseconds()), MaxWait)}
	var output ExecOutput
	err := c.execute(ctx, request{command: CommandExecOutput, args: args}, &output)
	return output, err
}

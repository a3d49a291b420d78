package guestagent

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Info is what an agent is.
type Info struct {
	// Version is that of the agent, as "7.2.22".
	Version string `json:"version"`
	// Commands are those that it knows.
	Commands []Command `json:"supported_commands"`
}

// Command is one command of an agent.
type Command struct {
	Name    string `json:"name"`
	Enabled bool   `json:"enabled"`
	// Answers tells whether it answers where it succeeds.
	Answers bool `json:"success-response"`
}

// Supports tells whether the agent has a command, and may run it.
func (i Info) Supports(name string) bool {
	return slices.ContainsFunc(i.Commands, func(c Command) bool { return c.Name == name && c.Enabled })
}

// Ping tells whether an agent answers.
func (c *Client) Ping(ctx context.Context) error {
	return c.execute(ctx, request{command: CommandPing}, nil)
}

// Info asks what the agent is.
func (c *Client) Info(ctx context.Context) (Info, error) {
	var info Info
	err := c.execute(ctx, request{command: CommandInfo}, &info)
	return info, err
}

// SetConsoleSize tells the guest the size of the window on a console, a device
// as "hvc0". It is for agents whose Info supports CommandSetConsoleSize.
func (c *Client) SetConsoleSize(ctx context.Context, device string, rows, columns int) error {
	args := ConsoleSizeArgs{Device: device, Rows: rows, Columns: columns}
	return c.execute(ctx, request{command: CommandSetConsoleSize, args: args, changes: true}, nil)
}

// ConsoleSizeArgs are the arguments of CommandSetConsoleSize.
type ConsoleSizeArgs struct {
	Device  string `json:"device"` // without /dev/
	Rows    int    `json:"rows"`
	Columns int    `json:"columns"`
}

// ShutdownMode says how a guest ends.
type ShutdownMode string

// The ways to end a guest.
const (
	Powerdown ShutdownMode = "powerdown"
	Halt      ShutdownMode = "halt"
	Reboot    ShutdownMode = "reboot"
)

// ShutdownArgs are the arguments of CommandShutdown.
type ShutdownArgs struct {
	Mode ShutdownMode `json:"mode,omitempty"` // "": Powerdown
}

// refusalLimit is how long an agent may take to refuse a shutdown.
const refusalLimit = time.Second

// Shutdown asks the guest to end. An agent that obeys does not answer: nil is
// what comes when it has not refused within a second. That the guest ends is
// for the caller to see.
func (c *Client) Shutdown(ctx context.Context, mode ShutdownMode) error {
	if err := c.Sync(ctx); err != nil { // who is not there does not refuse
		return err
	}
	obeyed := errors.New("no refusal")
	limit, cancel := context.WithTimeoutCause(ctx, refusalLimit, obeyed)
	defer cancel()
	err := c.execute(limit, request{command: CommandShutdown, args: ShutdownArgs{Mode: mode}}, nil)
	if errors.Is(err, obeyed) || errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

package guestagent

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Info describes an agent.
type Info struct {
	// Version is the agent's version: "7.2.22".
	Version string `json:"version"`
	// Commands are the agent's commands.
	Commands []Command `json:"supported_commands"`
}

// Command is one command of an agent.
type Command struct {
	Name    string `json:"name"`
	Enabled bool   `json:"enabled"`
	// Answers is whether the command is answered if it succeeds.
	Answers bool `json:"success-response"`
}

// Supports reports whether the agent has a command and the command is enabled.
func (i Info) Supports(name string) bool {
	return slices.ContainsFunc(i.Commands, func(c Command) bool { return c.Name == name && c.Enabled })
}

// Ping returns nil if an agent answers.
func (c *Client) Ping(ctx context.Context) error {
	return c.execute(ctx, request{command: CommandPing}, nil)
}

// Info returns a description of the agent.
func (c *Client) Info(ctx context.Context) (Info, error) {
	var info Info
	err := c.execute(ctx, request{command: CommandInfo}, &info)
	return info, err
}

// SetConsoleSize sets the size of the terminal on a console, a device such as "hvc0", in
// characters. The agent must support CommandSetConsoleSize.
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

// ShutdownMode is how a guest ends.
type ShutdownMode string

// The modes of guest-shutdown.
const (
	Powerdown ShutdownMode = "powerdown"
	Halt      ShutdownMode = "halt"
	Reboot    ShutdownMode = "reboot"
)

// ShutdownArgs are the arguments of CommandShutdown.
type ShutdownArgs struct {
	Mode ShutdownMode `json:"mode,omitempty"` // default: Powerdown
}

// refusalLimit bounds the wait for an agent's refusal of a shutdown.
const refusalLimit = time.Second

// Shutdown asks the guest to end. Since an agent does not answer a shutdown that succeeds, Shutdown
// returns nil unless the agent reports an error within a second. The caller must check that the
// guest ends.
func (c *Client) Shutdown(ctx context.Context, mode ShutdownMode) error {
	if err := c.Sync(ctx); err != nil { // an absent agent does not refuse either
		return err
	}
	accepted := errors.New("no refusal")
	limit, cancel := context.WithTimeoutCause(ctx, refusalLimit, accepted)
	defer cancel()
	err := c.execute(limit, request{command: CommandShutdown, args: ShutdownArgs{Mode: mode}}, nil)
	if errors.Is(err, accepted) || errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

package consoletest

import (
	"context"
	"fmt"
	"regexp"
	"strings"
)

var (
	loginPrompt = regexp.MustCompile(`login: `)
	shellPrompt = regexp.MustCompile(`[#$] `)
)

// Login waits for the login prompt, logs root in, and makes sure that a shell
// answers.
func (c *Console) Login(ctx context.Context) error {
	if _, err := c.Expect(ctx, loginPrompt); err != nil {
		return fmt.Errorf("no login prompt: %w", err)
	}
	if err := c.Send("root\n"); err != nil {
		return err
	}
	if _, err := c.Expect(ctx, shellPrompt); err != nil {
		return fmt.Errorf("no shell after the login: %w", err)
	}
	_, err := c.Shell(ctx, "true")
	return err
}

// Shell has the guest's shell run command and returns what it printed, with
// plain line ends. A command with another status than 0 is an error.
//
// The output stands between two numbers that the guest's shell computes, so
// that the echo of the command line is never taken for it.
func (c *Console) Shell(ctx context.Context, command string) (string, error) {
	c.mu.Lock()
	c.turns++
	turn := c.turns
	c.mu.Unlock()
	err := c.Send(fmt.Sprintf("echo \"<$((6*%d))>\"; %s; echo \"<$((7*%d)):$?>\"\n", turn, command, turn))
	if err != nil {
		return "", err
	}
	answer := regexp.MustCompile(fmt.Sprintf(`(?s)<%d>\r?\n(.*?)<%d:([0-9]+)>`, 6*turn, 7*turn))
	match, err := c.Expect(ctx, answer)
	if err != nil {
		return "", fmt.Errorf("no answer to %q: %w", command, err)
	}
	output := strings.ReplaceAll(match[1], "\r\n", "\n")
	if match[2] != "0" {
		return output, fmt.Errorf("%s: %q ended with status %s: %s", c.Device, command, match[2], strings.TrimSpace(output))
	}
	return output, nil
}

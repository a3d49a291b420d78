package consoletest

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
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
	c.prompted = time.Now()
	if err := c.Send("root\n"); err != nil {
		return err
	}
	if _, err := c.Expect(ctx, shellPrompt); err != nil {
		return fmt.Errorf("no shell after the login: %w", err)
	}
	_, err := c.Shell(ctx, "true")
	return err
}

// Shell runs a command in the guest's shell and returns what it printed, with
// plain line ends. A command with another status than 0 is an error.
func (c *Console) Shell(ctx context.Context, command string) (string, error) {
	output, status, err := c.command(ctx, command)
	if err != nil {
		return output, err
	}
	if status != 0 {
		return output, fmt.Errorf("%s: %q ended with status %d: %s", c.Device, command, status, strings.TrimSpace(output))
	}
	return output, nil
}

// command is Shell with the command's status.
//
// The output stands between two numbers that the guest's shell computes, so
// that the echo of the command line is never taken for it. The command is run in
// a subshell and read by eval: whatever is in it, half a quotation or a comment,
// the second number comes.
func (c *Console) command(ctx context.Context, command string) (output string, status int, err error) {
	c.mu.Lock()
	c.turns++
	turn := c.turns
	c.mu.Unlock()
	quoted := strings.ReplaceAll(command, "'", `'\''`)
	err = c.Send(fmt.Sprintf("echo \"<$((6*%d))>\"; (eval '%s'); echo \"<$((7*%d)):$?>\"\n", turn, quoted, turn))
	if err != nil {
		return "", 0, err
	}
	begin := fmt.Sprintf(`<%d>\r?\n`, 6*turn)
	answer := regexp.MustCompile(fmt.Sprintf(`(?s)%s(.*?)<%d:([0-9]{1,3})>`, begin, 7*turn))
	match, err := c.await(ctx, answer)
	if err != nil {
		return "", 0, fmt.Errorf("no answer to %q: %s: %w, %s", command, c.Device, err, c.soFar(regexp.MustCompile(begin)))
	}
	status, err = strconv.Atoi(match[2])
	return string(plainEnds([]byte(match[1]))), status, err
}

// soFar tells what a command has printed that has not ended. Its output is behind
// begin; that number, and the echo before it, are ours and would tell nobody anything.
func (c *Console) soFar(begin *regexp.Regexp) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	spoken, _ := withoutKernelLines(c.text[c.at:])
	at := begin.FindIndex(spoken)
	switch {
	case at == nil:
		return "no shell has begun it"
	case lastLine(spoken[at[1]:]) == "":
		return "it has printed nothing"
	}
	return fmt.Sprintf("its last line is %q", lastLine(spoken[at[1]:]))
}

// lineEnd is a line's end as guests write it: a getty writes "\n\r" too.
var lineEnd = regexp.MustCompile(`\r*\n\r*`)

// plainEnds is text with plain line ends.
func plainEnds(text []byte) []byte { return lineEnd.ReplaceAll(text, []byte("\n")) }

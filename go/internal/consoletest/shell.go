package consoletest

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"microvm-console/internal/dialog"
)

var (
	loginPrompt = regexp.MustCompile(`login: `)
	shellPrompt = regexp.MustCompile(`[#$] `)
)

// Login waits for the login prompt, logs in as root, and waits until a shell answers.
func (c *Console) Login(ctx context.Context) error {
	if _, err := c.Expect(ctx, "login prompt", loginPrompt); err != nil {
		return err
	}
	c.prompted = time.Now()
	if err := c.Send("root\n"); err != nil {
		return err
	}
	if _, err := c.Expect(ctx, "shell prompt after the login", shellPrompt); err != nil {
		return err
	}
	_, err := c.Shell(ctx, "true")
	return err
}

// Shell runs a command in the guest's shell and returns its output, with line ends as "\n".
// An exit status other than 0 is an error.
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

// command is Shell that returns the exit status of the command.
//
// The guest's shell prints a number that it computes before the output and another one after
// it, so that the echo of the command line is not taken for the output. The command runs in a
// subshell, by eval: the second number is printed even after an open quotation or a comment. A command
// that does not end is interrupted, as the next check may need the shell.
func (c *Console) command(ctx context.Context, command string) (output string, status int, err error) {
	c.turns++
	turn := c.turns
	c.Skip() // the answer follows
	quoted := strings.ReplaceAll(command, "'", `'\''`)
	err = c.typeLine(fmt.Sprintf("echo \"<$((6*%d))>\"; (eval '%s'); echo \"<$((7*%d)):$?>\"", turn, quoted, turn))
	if err != nil {
		return "", 0, err
	}
	begin := regexp.MustCompile(fmt.Sprintf(`<%d>\r?\n`, 6*turn))
	before, match, err := c.await(ctx, regexp.MustCompile(fmt.Sprintf(`<%d:([0-9]{1,3})>`, 7*turn)))
	if err != nil {
		err = c.partly(c.at, failed(fmt.Sprintf("no answer to %q on %s", command, c.Device), err, c.soFar(begin)))
		_ = c.Send("\x03") // Ctrl-C
		return "", 0, err
	}
	at := begin.FindStringIndex(before)
	if at == nil {
		return "", 0, fmt.Errorf("guest: %q on %s printed more than %d MiB", command, c.Device, c.output.keep>>20)
	}
	status, err = strconv.Atoi(match[1])
	return string(dialog.PlainEnds([]byte(before[at[1]:]))), status, err
}

// soFar returns, for an error, the last line of a command that has not ended. begin matches
// what precedes its output.
func (c *Console) soFar(begin *regexp.Regexp) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	text, _ := withoutKernelLines(c.output.from(c.at))
	if at := begin.FindIndex(text); at != nil {
		text = text[at[1]:]
	} else if c.at >= c.output.start {
		return "no shell has started it"
	}
	if lastLine(text) == "" {
		return "it printed nothing"
	}
	return fmt.Sprintf("last line: %q", lastLine(text))
}

package ctl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// ErrEnding is returned by a relay that is about to end and accepts no further boot.
var ErrEnding = errors.New("the relay is ending")

// OrderBreak is the order that asks a launcher to send a break on the line of its channel.
const OrderBreak = "break"

// BootReply is the answer to POST /boot.
type BootReply struct {
	Boot int `json:"boot"` // the number of the boot, from 1
}

// Break sends a break on a console's line.
func (c Client) Break(ctx context.Context, console string) error {
	response, err := c.send(ctx, http.MethodPost, "/break?"+url.Values{"console": {console}}.Encode())
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// Boot announces to a channel's relay that a QEMU is about to start. The relay drains what
// the last QEMU left, drops what was typed since, and marks a boot. Boot returns the number
// of that boot, or ErrEnding.
func (c Client) Boot(ctx context.Context) (int, error) {
	var answer BootReply
	code, err := c.do(ctx, http.MethodPost, "/boot", &answer)
	if code == http.StatusServiceUnavailable {
		return 0, ErrEnding
	}
	return answer.Boot, wantOK(code, err)
}

// NoteRestart records at a channel's relay that the guest has restarted by itself.
func (c Client) NoteRestart(ctx context.Context) error {
	response, err := c.send(ctx, http.MethodPost, "/boot/restart")
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// EndBoot records at a channel's relay how its QEMU ended, as "powered off".
func (c Client) EndBoot(ctx context.Context, how string) error {
	response, err := c.send(ctx, http.MethodPost, "/boot/end?"+url.Values{"how": {how}}.Encode())
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// Orders calls handle with each order of a channel's relay to the launcher of its QEMU. It
// returns once ctx is done or the connection ends. The error is io.EOF if the relay has
// closed the connection.
func (c Client) Orders(ctx context.Context, handle func(order string)) error {
	response, err := c.send(ctx, http.MethodGet, "/orders")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		handle(lines.Text())
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	return io.EOF
}

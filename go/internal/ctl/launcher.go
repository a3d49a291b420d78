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

// ErrEnding tells that a relay is about to end: it takes no machine any more.
var ErrEnding = errors.New("the relay is ending")

// OrderBreak asks a launcher for a break on the line of its channel.
const OrderBreak = "break"

// BootReply is the answer to POST /boot.
type BootReply struct {
	Boot int `json:"boot"` // its number, from 1
}

// Break sends a break on a console's line.
func (c Client) Break(ctx context.Context, console string) error {
	response, err := c.send(ctx, http.MethodPost, "/break?"+url.Values{"console": {console}}.Encode())
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// Boot tells a channel's relay that a QEMU is about to start: what the last one
// left is drained, what was typed since is dropped, and a boot is marked. It
// returns the boot's number.
func (c Client) Boot(ctx context.Context) (int, error) {
	var answer BootReply
	code, err := c.do(ctx, http.MethodPost, "/boot", &answer)
	if code == http.StatusServiceUnavailable {
		return 0, ErrEnding
	}
	return answer.Boot, wantOK(code, err)
}

// NoteRestart says to a channel's relay that the guest of its QEMU has restarted by itself.
func (c Client) NoteRestart(ctx context.Context) error {
	response, err := c.send(ctx, http.MethodPost, "/boot/restart")
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// EndBoot says to a channel's relay how its QEMU has ended: "powered off".
func (c Client) EndBoot(ctx context.Context, how string) error {
	response, err := c.send(ctx, http.MethodPost, "/boot/end?"+url.Values{"how": {how}}.Encode())
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// Orders calls handle with each order of a channel's relay to the launcher of its
// QEMU. It returns when the connection ends, which is io.EOF where the relay
// has ended it, or ctx does.
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

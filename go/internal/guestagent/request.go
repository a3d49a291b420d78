package guestagent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Sync waits until the agent answers, and drops all input before the answer. Other requests do this
// themselves if necessary.
func (c *Client) Sync(ctx context.Context) error {
	release, err := c.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	return c.sync(ctx)
}

// request is a command for the agent.
type request struct {
	command string
	args    any  // may be nil
	changes bool // it changes the guest, and must not arrive late
	limit   int  // maximum length of the answer; at least MaxReply
}

// execute sends a request, waits for the answer and decodes it into out, which may be nil. It
// returns an *Error if the agent reports one.
func (c *Client) execute(ctx context.Context, r request, out any) error {
	release, err := c.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	if !c.synced || r.changes {
		if err := c.sync(ctx); err != nil {
			return fmt.Errorf("%s: %w", r.command, err)
		}
	}
	if err := c.answer(ctx, r, out); err != nil {
		var refusal *Error
		if !errors.As(err, &refusal) {
			c.synced = false
		}
		return fmt.Errorf("%s: %w", r.command, err)
	}
	return nil
}

// answer sends a request and decodes the answer into out.
func (c *Client) answer(ctx context.Context, r request, out any) error {
	line, err := c.exchange(ctx, r, want{limit: max(r.limit, MaxReply)})
	if err != nil {
		return err
	}
	return decode(line, out)
}

// acquire waits for the right to send a request. release gives it back.
func (c *Client) acquire(ctx context.Context) (release func(), err error) {
	select {
	case c.turn <- struct{}{}:
		return func() { <-c.turn }, nil
	case <-c.closed:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("guest agent: busy: %w", context.Cause(ctx))
	}
}

// sync synchronizes the two ends. A Delimiter before the request makes the agent drop an incomplete
// request.
func (c *Client) sync(ctx context.Context) error {
	c.synced = false
	id := 1 + rand.Int64N(1<<53-1) // exact even in JSON parsers that use floating point
	args := struct {
		ID int64 `json:"id"`
	}{id}
	if _, err := c.exchange(ctx, request{command: CommandSyncDelimited, args: args}, want{limit: MaxReply, sync: id}); err != nil {
		return err
	}
	c.synced = true
	return nil
}

// exchange sends a request and returns the line with the answer.
func (c *Client) exchange(ctx context.Context, r request, w want) ([]byte, error) {
	text, err := json.Marshal(struct {
		Execute   string `json:"execute"`
		Arguments any    `json:"arguments,omitempty"`
	}{r.command, r.args})
	if err != nil {
		return nil, err
	}
	if w.sync != 0 {
		text = append([]byte{Delimiter}, text...)
	}
	w.answer = make(chan answer, 1)
	c.await(&w)
	defer c.await(nil)
	if err := c.write(ctx, append(text, '\n')); err != nil {
		return nil, err
	}
	select {
	case a := <-w.answer:
		return a.line, a.err
	case <-ctx.Done():
		return nil, noAnswer(ctx)
	case <-c.closed:
	}
	select {
	case a := <-w.answer: // arrived before the end
		return a.line, a.err
	default:
		return nil, ErrClosed
	}
}

// write sends text. If the guest has no agent, the buffers may be full, and write blocks until ctx
// ends.
func (c *Client) write(ctx context.Context, text []byte) error {
	if c.conn.SetWriteDeadline(time.Time{}) != nil {
		return ErrClosed
	}
	expired := make(chan struct{})
	keep := context.AfterFunc(ctx, func() {
		_ = c.conn.SetWriteDeadline(time.Unix(1, 0)) // in the past; fails only if the connection is closed
		close(expired)
	})
	_, err := c.conn.Write(text)
	if !keep() {
		<-expired
		return noAnswer(ctx)
	}
	if err != nil {
		return ErrClosed
	}
	return nil
}

func noAnswer(ctx context.Context) error {
	return fmt.Errorf("guest: no answer: %w", context.Cause(ctx))
}

// decode decodes an answer into out, which may be nil.
func decode(line []byte, out any) error {
	reply := struct {
		Return value  `json:"return"`
		Error  *Error `json:"error"`
	}{Return: value{out: out}}
	err := json.Unmarshal(line, &reply)
	switch {
	case err != nil:
		return fmt.Errorf("guest: invalid answer: %w", err)
	case reply.Error != nil:
		return reply.Error
	case !reply.Return.present:
		return errors.New("guest: answer with neither a value nor an error")
	}
	return nil
}

// value decodes into out, which may be nil, and records that it was present.
type value struct {
	out     any
	present bool
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *value) UnmarshalJSON(text []byte) error {
	v.present = true
	if v.out == nil {
		return nil
	}
	return json.Unmarshal(text, v.out)
}

package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// What an input may ask for.
const (
	SeatTake  = "take"  // the writer's seat, if it is free
	SeatForce = "force" // the writer's seat, whoever has it
)

// ErrSeatTaken tells that somebody else has the writer's seat. Of any number of
// clients who watch, only who has that types.
var ErrSeatTaken = errors.New("has the writer's seat")

// Typist types into a console for one client.
type Typist struct {
	io.Writer
	// Lost gets why the typist may not type any more: ErrSeatTaken.
	Lost <-chan error
	// Close gives up the seat, and ends a Write that waits.
	Close func()
}

// Input types what it reads from body into a console, until body ends. What is
// read at once, up to 4096 bytes, is not interleaved with others' input. It
// waits while the guest does not read. ErrSeatTaken tells that somebody else has
// the writer's seat, or has just taken it, and who.
func (c Client) Input(ctx context.Context, request StreamRequest, body io.Reader) error {
	response, err := c.request(ctx, http.MethodPost, "/input?"+request.query(), body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusConflict:
		text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
		if err != nil {
			return fmt.Errorf("control socket: %w", err)
		}
		holder, _, _ := strings.Cut(string(text), " "+ErrSeatTaken.Error())
		return fmt.Errorf("%s %w", holder, ErrSeatTaken)
	}
	return refusal(response)
}

package ctl

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
)

// What an input may ask for.
const (
	SeatTake  = "take"  // the writer's seat, if it is free
	SeatForce = "force" // the writer's seat, whichever client has it
)

// SeatTakenError is returned when another client has the writer's seat, or has just taken
// it. Of any number of clients, only the one that has it types.
type SeatTakenError struct {
	Holder string // the name of the client that has it
}

func (e *SeatTakenError) Error() string { return e.Holder + " has the writer's seat" }

// HeaderThrough is in an interim answer (102) to an input that has the writer's seat: another
// client has typed, by the endpoint that the header names, escaped as in a query.
const HeaderThrough = "Microvm-Typed-Through"

// HeaderHolder names the client that has the writer's seat, escaped as in a query.
const HeaderHolder = "Microvm-Seat-Holder"

// Input types what it reads from body into a console, until body ends. What is
// read at once, up to 4096 bytes, is not interleaved with others' input. It
// waits while the guest does not read. It returns a *SeatTakenError if another client has
// the writer's seat, or takes it meanwhile.
func (c Client) Input(ctx context.Context, request StreamRequest, body io.Reader) error {
	if request.OnOthers != nil {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: func(_ int, header textproto.MIMEHeader) error {
			through, err := url.QueryUnescape(header.Get(HeaderThrough))
			if err == nil && through != "" {
				request.OnOthers(through)
			}
			return err
		}})
	}
	response, err := c.request(ctx, http.MethodPost, "/input?"+request.query(), body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusConflict:
		holder, err := url.QueryUnescape(response.Header.Get(HeaderHolder))
		if err != nil {
			return fmt.Errorf("control socket: header %s: %w", HeaderHolder, err)
		}
		return &SeatTakenError{Holder: holder}
	}
	return refusal(response)
}

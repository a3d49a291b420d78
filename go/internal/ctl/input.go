package ctl

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
)

// The values of StreamRequest.Seat. Only the client with the writer's seat types.
const (
	SeatTake  = "take"  // take the writer's seat if it is free
	SeatForce = "force" // take the writer's seat from any client
)

// SeatTakenError is returned if another client has the writer's seat, or takes it.
type SeatTakenError struct {
	Holder string // the name of the client that has it
}

func (e *SeatTakenError) Error() string { return e.HolderName() + " has the writer's seat" }

// HolderName returns Holder as users read it: "connect-serial[812]" is "connect-serial (pid
// 812)".
func (e *SeatTakenError) HolderName() string {
	program, rest, _ := strings.Cut(e.Holder, "[")
	pid, closed := strings.CutSuffix(rest, "]")
	if _, err := strconv.ParseUint(pid, 10, 32); err != nil || !closed {
		return e.Holder
	}
	return fmt.Sprintf("%s (pid %s)", program, pid)
}

// HeaderThrough is a header of an interim answer (102) to an input with the writer's seat.
// It names, escaped as in a query, the endpoint through which another client has typed.
const HeaderThrough = "Microvm-Typed-Through"

// HeaderHolder is the header of an answer 409 to an input. It names, escaped as in a query,
// the client that has the writer's seat.
const HeaderHolder = "Microvm-Seat-Holder"

// Input types what it reads from body into a console until body ends. The bytes of one
// read, up to 4096, are not interleaved with the input of others. Input blocks while the
// guest does not read. It returns a *SeatTakenError if another client has the writer's
// seat, or takes it meanwhile.
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

package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// ErrNotKept is returned if the requested part of a stream is no longer kept.
var ErrNotKept = errors.New("is not kept")

// The headers of an answer to GET /stream; see Stream.
const (
	HeaderOffset = "Microvm-Offset"
	HeaderLive   = "Microvm-Live"
	HeaderGap    = "Microvm-Gap"
)

// StreamRequest selects the bytes of a console, for Stream, or the console to type into,
// for Input.
type StreamRequest struct {
	// Console is its name in vm.json: "serial".
	Console string
	// From and Boot are those of relay.Part.
	From string
	Boot int
	// Client is a name that the client chooses, the same for its stream and its input;
	// "" for none.
	Client string
	// Terminal reports whether the client is a terminal, which answers the guest's
	// questions.
	Terminal bool
	// Seat is for Input: SeatTake, SeatForce, or "" to type only while the seat is free or
	// its holder is idle.
	Seat string
	// OnOthers is for Input with the seat: it is called if another client types because
	// this one has typed nothing for a while. through names the endpoint of the other
	// client. OnOthers must not block. It may be nil.
	OnOthers func(through string)
	// Gaps breaks off the answer at missing bytes; an answer that begins there says how
	// many. Without it the answer continues after the gap, and only Status shows it.
	Gaps bool
}

func (r StreamRequest) query() string {
	return url.Values{
		"console":  {r.Console},
		"from":     {r.From},
		"boot":     {strconv.Itoa(r.Boot)},
		"client":   {r.Client},
		"terminal": {strconv.FormatBool(r.Terminal)},
		"gaps":     {strconv.FormatBool(r.Gaps)},
		"seat":     {r.Seat},
	}.Encode()
}

// Stream reads a console's bytes exactly as the guest printed them, as they come. It ends
// with io.EOF at the end of the boot, and with another error if the owner dies.
type Stream struct {
	io.ReadCloser
	// Offset is that of the first byte.
	Offset int64
	// Live is the offset at which the stream ended at the time of the request: earlier
	// bytes are history.
	Live int64
	// Gap is how many of the requested bytes just before Offset are missing, as they are
	// no longer kept or were lost; -1 if the number is unknown.
	Gap int64
}

// Stream returns a console's bytes. If the requested ones are not kept, the error is
// ErrNotKept and says which ones are. The caller closes the Stream.
func (c Client) Stream(ctx context.Context, request StreamRequest) (*Stream, error) {
	response, err := c.send(ctx, http.MethodGet, "/stream?"+request.query())
	if err != nil {
		return nil, err
	}
	stream := &Stream{ReadCloser: response.Body}
	for header, field := range map[string]*int64{
		HeaderOffset: &stream.Offset, HeaderLive: &stream.Live, HeaderGap: &stream.Gap,
	} {
		if *field, err = strconv.ParseInt(response.Header.Get(header), 10, 64); err != nil {
			response.Body.Close()
			return nil, fmt.Errorf("control socket: header %s: %w", header, err)
		}
	}
	return stream, nil
}

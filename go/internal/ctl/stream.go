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

// ErrNotKept is returned if nothing is kept of the part of a stream that is asked for.
var ErrNotKept = errors.New("is not kept")

// The headers of an answer to GET /stream; see Stream.
const (
	HeaderOffset = "Microvm-Offset"
	HeaderLive   = "Microvm-Live"
	HeaderGap    = "Microvm-Gap"
)

// StreamRequest says which bytes of a console are wanted.
type StreamRequest struct {
	// Console is its name in vm.json: "serial".
	Console string
	// From and Boot are those of relay.Part.
	From string
	Boot int
	// Client is a name of the client's choice, the same for its stream and its
	// input; "" for none.
	Client string
	// Terminal tells that a terminal is at the client's end, which answers
	// what the guest asks it.
	Terminal bool
	// Seat is what an input asks for: SeatTake, SeatForce, or "" to type while the seat is
	// free, or its holder types nothing.
	Seat string
	// OnOthers is called if another client types though this one has the seat, since this
	// one has typed nothing for a while. through names the endpoint by which it does. It must
	// not wait. nil: it is not called.
	OnOthers func(through string)
	// Gaps has the answer broken off where bytes are missing; one that begins
	// there tells how many. Else it goes on behind them, and only status tells.
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

// Stream is a console's bytes, exactly as the guest printed them, as they
// come. It ends with the boot, and with an error where the owner goes away.
type Stream struct {
	io.ReadCloser
	// Offset is that of the first byte.
	Offset int64
	// Live is the offset at which the stream ended when it was asked for: what
	// comes before is history.
	Live int64
	// Gap is how many bytes are missing just before Offset: they were wanted and
	// are no longer kept, or they never were; -1 where nobody knows how many.
	Gap int64
}

// Stream asks for a console's bytes. ErrNotKept tells that there are none where the
// request wants them, and where there are some. The caller closes it.
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

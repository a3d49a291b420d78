package ctl

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"microvm-console/internal/state"
)

// maxAnswer bounds an answer that is read whole, in bytes.
const maxAnswer = 1 << 20

// ErrNoAnswer is returned if a request gets no answer: no process serves the socket, or
// the connection broke.
var ErrNoAnswer = errors.New("control socket")

// Client sends requests to the control socket at Path. Each request has a connection of
// its own, so a Client needs no Close, and goroutines may share it.
type Client struct {
	Path string
}

// Status returns the status of the machine.
func (c Client) Status(ctx context.Context) (state.Machine, error) {
	var status state.Machine
	code, err := c.do(ctx, http.MethodGet, "/status", &status)
	return status, wantOK(code, err)
}

// ChannelStatus returns the status of a channel's relay. It is an error if the status has
// no console, or no relay for it.
func (c Client) ChannelStatus(ctx context.Context) (state.Machine, error) {
	status, err := c.Status(ctx)
	if err != nil {
		return status, err
	}
	if len(status.Consoles) == 0 || status.Consoles[0].Relay == nil {
		return status, errors.New("control socket: the answer is not the status of a channel")
	}
	return status, nil
}

// wantOK returns err or, if the status of an answer in JSON is not 200, an error.
func wantOK(code int, err error) error {
	if err != nil {
		return err
	}
	if code != http.StatusOK {
		return fmt.Errorf("control socket: status %d", code)
	}
	return nil
}

// ErrNeverReady is returned if the VM ends before its guest is ready.
var ErrNeverReady = errors.New("the VM ended before its guest was ready")

// AwaitReady waits until the guest is ready and returns the status of the machine at that
// time. It returns ErrNeverReady if the machine ends first, and the cause of ctx once ctx
// is done.
func (c Client) AwaitReady(ctx context.Context) (state.Machine, error) {
	var status state.Machine
	code, err := c.do(ctx, http.MethodGet, "/ready", &status)
	switch {
	case ctx.Err() != nil:
		return status, context.Cause(ctx)
	case code == http.StatusGone, code == 0 && err != nil, errors.Is(err, io.ErrUnexpectedEOF):
		return status, ErrNeverReady
	}
	return status, wantOK(code, err)
}

// Stop stops the machine and returns once it has ended. stopped is false if every stage
// has failed, or the time limit has passed.
func (c Client) Stop(ctx context.Context, request StopRequest) (report StopReport, stopped bool, err error) {
	query := url.Values{"force": {strconv.FormatBool(request.Force)}}
	if request.Timeout != 0 {
		query.Set("timeout", request.Timeout.String())
	}
	code, err := c.do(ctx, http.MethodPost, "/stop?"+query.Encode(), &report)
	return report, code == http.StatusOK, err
}

// do sends one request and decodes its answer, JSON, into out. code is 0 if there was no
// answer.
func (c Client) do(ctx context.Context, method, target string, out any) (code int, err error) {
	response, err := c.request(ctx, method, target, nil)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if !strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") {
		return response.StatusCode, refusal(response)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return response.StatusCode, fmt.Errorf("control socket: %w", err)
	}
	return response.StatusCode, json.Unmarshal(body, out)
}

// send sends one request. The caller reads and closes the body of the answer. An answer
// other than 200 is an error.
func (c Client) send(ctx context.Context, method, target string) (*http.Response, error) {
	response, err := c.request(ctx, method, target, nil)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		return nil, refusal(response)
	}
	return response, nil
}

// request sends one request on a new connection.
func (c Client) request(ctx context.Context, method, target string, body io.Reader) (*http.Response, error) {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", c.Path)
		},
		DisableKeepAlives:  true,
		DisableCompression: true,
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://machine"+target, body)
	if err != nil {
		return nil, err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	return response, nil
}

// refusal returns an answer that is a line of text as an error.
func refusal(response *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	line := cmp.Or(strings.TrimSpace(string(text)), response.Status)
	if response.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		return serverError{line, ErrNotKept}
	}
	return fmt.Errorf("control socket: %s", line)
}

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

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 1 << 20

// ErrNoAnswer tells that nobody has answered a request.
var ErrNoAnswer = errors.New("control socket")

// Client talks to the control socket at Path.
type Client struct {
	Path string
}

// Status asks for the machine's status.
func (c Client) Status(ctx context.Context) (state.Machine, error) {
	var status state.Machine
	code, err := c.do(ctx, http.MethodGet, "/status", &status)
	return status, wantOK(code, err)
}

// ChannelStatus is Status of a channel's relay: a status that has no console, or no relay
// of it, is an error.
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

// wantOK returns err, or an error if an answer in JSON has another status than 200.
func wantOK(code int, err error) error {
	if err != nil {
		return err
	}
	if code != http.StatusOK {
		return fmt.Errorf("control socket: status %d", code)
	}
	return nil
}

// ErrNeverReady tells that a guest ends that was waited for.
var ErrNeverReady = errors.New("the VM ends, and its guest will not be ready")

// AwaitReady waits until the guest is ready, and returns the machine's status
// then; ErrNeverReady where the machine ends before.
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

// Stop stops the machine and returns once it has ended. stopped is false where
// every stage failed within the time limit.
func (c Client) Stop(ctx context.Context, request StopRequest) (report StopReport, stopped bool, err error) {
	query := url.Values{"force": {strconv.FormatBool(request.Force)}}
	if request.Timeout != 0 {
		query.Set("timeout", request.Timeout.String())
	}
	code, err := c.do(ctx, http.MethodPost, "/stop?"+query.Encode(), &report)
	return report, code == http.StatusOK, err
}

// do makes one request and decodes its answer, JSON, into out.
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

// send makes one request whose answer is the caller's to read and to close,
// unless it is a refusal.
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

// request makes one request, on a connection of its own.
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

// refusal is the error of an answer that is a line of text, which tells all.
func refusal(response *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	line := cmp.Or(strings.TrimSpace(string(text)), response.Status)
	if response.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		return told{line, ErrNotKept}
	}
	return fmt.Errorf("control socket: %s", line)
}

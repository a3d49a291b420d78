package ctl

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 1 << 20

// Client talks to the control socket at Path.
type Client struct {
	Path string
}

// Status asks for the machine's status.
func (c Client) Status(ctx context.Context) (Status, error) {
	var status Status
	_, err := c.do(ctx, http.MethodGet, "/status", &status)
	return status, err
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

// do makes one request and decodes its answer into out.
func (c Client) do(ctx context.Context, method, target string, out any) (code int, err error) {
	dialer := net.Dialer{}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", c.Path)
		},
		DisableKeepAlives: true,
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://machine"+target, nil)
	if err != nil {
		return 0, err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return 0, fmt.Errorf("control socket: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return response.StatusCode, fmt.Errorf("control socket: %w", err)
	}
	if !strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") {
		return response.StatusCode, fmt.Errorf("control socket: %s: %s", response.Status, strings.TrimSpace(string(body)))
	}
	return response.StatusCode, json.Unmarshal(body, out)
}

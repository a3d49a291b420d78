package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"
)

// Handlers are what a control socket does.
type Handlers struct {
	Status func() Status
	Stop   func(context.Context, StopRequest) (StopReport, error)
	// Stream returns a console's bytes, until ctx ends at the latest.
	Stream func(context.Context, StreamRequest) (*Stream, error)
	// Input returns what types into a console.
	Input func(StreamRequest) (io.Writer, error)
}

// Listen opens the control socket at path, mode 0600. A socket that an owner
// before left there is replaced: the caller holds the machine's lock.
func Listen(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		listener.Close()
		return nil, err
	}
	return listener, nil
}

// farewell is how long an answer under way may take once serving ends.
const farewell = 5 * time.Second

// Serve serves until ctx ends, and closes listener. Answers under way are
// finished first; a client that only stays connected is cut off.
func Serve(ctx context.Context, listener net.Listener, h Handlers) error {
	server := &http.Server{Handler: h.routes(), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("control socket: %w", err)
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if server.Shutdown(limit) != nil {
		_ = server.Close() // a client's fault, and no failure of ours
	}
	<-served //nolint:errcheck // it is http.ErrServerClosed
	return nil
}

func (h Handlers) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, h.Status())
	})
	mux.HandleFunc("POST /stop", func(w http.ResponseWriter, r *http.Request) {
		request, err := stopRequest(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		// A client that goes away does not undo its wish.
		report, err := h.Stop(context.WithoutCancel(r.Context()), request)
		status := http.StatusOK
		if err != nil {
			status = http.StatusGatewayTimeout
		}
		reply(w, status, report)
	})
	mux.HandleFunc("GET /stream", h.stream)
	mux.HandleFunc("POST /input", h.input)
	return mux
}

// stopRequest reads the query of a POST /stop.
func stopRequest(r *http.Request) (StopRequest, error) {
	request := StopRequest{Timeout: DefaultTimeout}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return request, fmt.Errorf("query: %w", err)
	}
	if text := query.Get("timeout"); text != "" {
		if request.Timeout, err = time.ParseDuration(text); err != nil || request.Timeout <= 0 {
			return request, fmt.Errorf("timeout: %q is no length of time (as 30s)", text)
		}
	}
	if text := query.Get("force"); text != "" {
		if request.Force, err = strconv.ParseBool(text); err != nil {
			return request, fmt.Errorf("force: %q is neither true nor false", text)
		}
	}
	return request, nil
}

func reply(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the only error is that the client has gone
}

// Package server answers the requests on a control socket; see package ctl for the paths,
// and for its client.
package server

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/plaintext"
	"microvm-console/internal/relay"
	"microvm-console/internal/state"
)

// Handlers are what a control socket does. Of a nil one there is no path.
type Handlers struct {
	Status func() state.Machine
	Stop   func(context.Context, ctl.StopRequest) (ctl.StopReport, error)
	// AwaitReady waits until the guest is ready, and errs where it never will be.
	AwaitReady func(context.Context) error
	// Stream returns a console's bytes, until ctx ends at the latest.
	Stream func(context.Context, ctl.StreamRequest) (*ctl.Stream, error)
	// Input returns what types into a console; its error is a *relay.SeatTakenError if it may
	// not.
	Input func(request ctl.StreamRequest) (Typist, error)
	// Exec runs a command in the guest, and hands what it prints to send; see
	// Client.Exec.
	Exec func(ctx context.Context, request ctl.ExecRequest, send func(ctl.ExecFrame) error) error
	// Size takes note of the size of a client's terminal.
	Size func(ctl.SizeRequest) error
	// Break sends a break on a console's line.
	Break func(ctx context.Context, console string) error
	// Boot is for who is about to start a QEMU on a channel: it marks a boot,
	// and returns its number.
	Boot func(context.Context) (int, error)
	// NoteRestart and EndBoot are for the launcher: the guest has restarted by itself, and
	// how QEMU has ended.
	NoteRestart func()
	EndBoot     func(how string)
	// NextOrder waits for what the launcher of a channel's QEMU is asked to do next, such as
	// ctl.OrderBreak. Its error ends the answer.
	NextOrder func(ctx context.Context) (string, error)
}

// OfRelays returns the Stream and Input of relays, which find finds by the names of their
// consoles.
func OfRelays(find func(console string) (*relay.Relay, error)) Handlers {
	return Handlers{
		Stream: func(ctx context.Context, request ctl.StreamRequest) (*ctl.Stream, error) {
			r, err := find(request.Console)
			if err != nil {
				return nil, err
			}
			return OpenStream(ctx, r, request)
		},
		Input: func(request ctl.StreamRequest) (Typist, error) {
			r, err := find(request.Console)
			if err != nil {
				return nil, err
			}
			seats := map[string]relay.Seat{ctl.SeatTake: relay.TakeSeat, ctl.SeatForce: relay.ForceSeat}
			typist, err := r.Typist(relay.TypistInfo{
				Name: request.Client, Seat: seats[request.Seat], Through: cmp.Or(request.Client, "the control socket"),
			})
			if err != nil {
				return nil, err
			}
			return typist, nil
		},
	}
}

// OpenStream returns what a request asks for, from the relay of its console.
func OpenStream(ctx context.Context, r *relay.Relay, request ctl.StreamRequest) (*ctl.Stream, error) {
	info := relay.ClientInfo{Name: request.Client, Terminal: request.Terminal}
	s, err := r.Open(ctx, info, relay.Part{From: request.From, Boot: request.Boot}, request.Gaps)
	if err != nil {
		return nil, err
	}
	return &ctl.Stream{ReadCloser: s, Offset: s.Offset, Live: s.Live, Gap: s.Gap}, nil
}

// Typist types into a console for one client: a *relay.Typist.
type Typist interface {
	io.Writer
	// Lost gets why the typist may not type any more: a *relay.SeatTakenError.
	Lost() <-chan error
	// Others gets the endpoints by which other clients type though this one has the seat.
	Others() <-chan string
	// Close gives up the seat, and ends a Write that waits.
	Close()
}

// connKey is the key of a request's connection in its context.
type connKey struct{}

// shutdownLimit is how long an answer under way may take once serving ends.
const shutdownLimit = 5 * time.Second

// Serve serves until ctx ends, and closes listener. Answers under way are
// finished first; a client that only stays connected is cut off.
func Serve(ctx context.Context, listener net.Listener, h Handlers) error {
	server := &http.Server{
		Handler: h.routes(), ReadHeaderTimeout: 10 * time.Second,
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, conn)
		},
	}
	server.SetKeepAlivesEnabled(false) // a request costs little, and a connection that idles is held for nothing
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("control socket: %w", err)
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit)
	defer cancel()
	if server.Shutdown(limit) != nil {
		_ = server.Close() // a client's fault, and no failure of ours
	}
	<-served //nolint:errcheck // it is http.ErrServerClosed
	return nil
}

func (h Handlers) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, route := range map[string]struct {
		there      bool
		parameters []string
		handle     http.HandlerFunc
	}{
		"GET /status":        {h.Status != nil, nil, func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, h.Status()) }},
		"GET /metrics":       {h.Status != nil, nil, h.metrics},
		"POST /stop":         {h.Stop != nil, []string{"timeout", "force"}, h.stop},
		"GET /stream":        {h.Stream != nil, streamParameters, h.stream},
		"POST /input":        {h.Input != nil, streamParameters, h.input},
		"POST /break":        {h.Break != nil, []string{"console"}, h.sendBreak},
		"POST /boot":         {h.Boot != nil, nil, h.boot},
		"POST /boot/restart": {h.NoteRestart != nil, nil, func(http.ResponseWriter, *http.Request) { h.NoteRestart() }},
		"POST /boot/end":     {h.EndBoot != nil, []string{"how"}, h.endBoot},
		"GET /orders":        {h.NextOrder != nil, nil, h.orders},
		"GET /ready":         {h.AwaitReady != nil, nil, h.ready},
		"POST /exec":         {h.Exec != nil, nil, h.exec()},
		"POST /size":         {h.Size != nil, []string{"console", "client", "rows", "columns"}, h.size},
	} {
		if route.there {
			mux.HandleFunc(pattern, checked(pattern, route.parameters, route.handle))
		}
	}
	return mux
}

// ready answers GET /ready with the status, once the guest is ready.
func (h Handlers) ready(w http.ResponseWriter, r *http.Request) {
	if err := h.AwaitReady(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusGone)
		return
	}
	reply(w, http.StatusOK, h.Status())
}

// stop answers POST /stop.
func (h Handlers) stop(w http.ResponseWriter, r *http.Request) {
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
}

// stopRequest reads the query of a POST /stop.
func stopRequest(r *http.Request) (ctl.StopRequest, error) {
	request := ctl.StopRequest{Timeout: ctl.DefaultTimeout}
	query := r.URL.Query()
	var err error
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
	text, err := json.Marshal(value)
	if err != nil {
		return // it cannot happen: value is one of our own types
	}
	_, _ = w.Write(append(plaintext.JSON(text), '\n')) // the only error is that the client has gone
}

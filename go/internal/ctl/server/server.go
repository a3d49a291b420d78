// Package server answers the requests on a control socket. Package ctl lists them, and is
// the client.
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

// Handlers implement the requests. A request whose handler is nil gets status 404. The
// handlers must be safe for concurrent use.
type Handlers struct {
	// Status returns the status of the machine or the channel.
	Status func() state.Machine
	// Stop stops the machine and returns what it has tried. Its error says that the
	// machine still runs.
	Stop func(context.Context, ctl.StopRequest) (ctl.StopReport, error)
	// AwaitReady waits until the guest is ready. It returns an error if the machine ends
	// first.
	AwaitReady func(context.Context) error
	// Stream returns a console's bytes, until ctx is done at the latest.
	Stream func(context.Context, ctl.StreamRequest) (*ctl.Stream, error)
	// Input returns a Typist for a console. Its error is a *relay.SeatTakenError if another
	// client has the writer's seat.
	Input func(request ctl.StreamRequest) (Typist, error)
	// Crash collects a crash bundle. Its error says why there is none.
	Crash func(context.Context, ctl.CrashRequest) (ctl.CrashBundle, error)
	// Exec runs a command in the guest and passes its output to send; see
	// ctl.Client.Exec.
	Exec func(ctx context.Context, request ctl.ExecRequest, send func(ctl.ExecFrame) error) error
	// Size records the size of a client's terminal.
	Size func(ctl.SizeRequest) error
	// Break sends a break on a console's line.
	Break func(ctx context.Context, console string) error
	// Boot prepares a channel for a QEMU that is about to start, marks a boot, and returns
	// its number.
	Boot func(context.Context) (int, error)
	// NoteRestart records that the guest has restarted by itself.
	NoteRestart func()
	// EndBoot records how QEMU has ended.
	EndBoot func(how string)
	// NextOrder waits for the next order to the launcher of a channel's QEMU, such as
	// ctl.OrderBreak. An error ends the answer.
	NextOrder func(ctx context.Context) (string, error)
}

// OfRelays returns the handlers Stream and Input for relays. find returns the relay of a
// console.
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

// OpenStream returns the bytes that a request selects, from the relay of its console. The
// caller closes the Stream.
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
	// Lost receives a *relay.SeatTakenError when another client takes the seat.
	Lost() <-chan error
	// Others receives the endpoints through which other clients type while this one has
	// the seat.
	Others() <-chan string
	// Close gives up the seat and ends a blocked Write.
	Close()
}

// connKey is the key of a request's connection in its context.
type connKey struct{}

// shutdownLimit is how long pending answers may take once ctx of Serve is done.
const shutdownLimit = 5 * time.Second

// Serve answers requests until ctx is done, and closes listener. It completes pending
// answers first, within a limit, and then disconnects the remaining clients.
func Serve(ctx context.Context, listener net.Listener, h Handlers) error {
	server := &http.Server{
		Handler: h.routes(), ReadHeaderTimeout: 10 * time.Second,
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, conn)
		},
	}
	server.SetKeepAlivesEnabled(false) // connecting is cheap, and an idle connection holds a descriptor
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
		_ = server.Close() // not a failure of the server: a client was too slow
	}
	<-served //nolint:errcheck // always http.ErrServerClosed
	return nil
}

func (h Handlers) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, route := range map[string]struct {
		present    bool
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
		"POST /crash":        {h.Crash != nil, []string{"dump", "nmi", "force", "output"}, h.crash},
		"POST /exec":         {h.Exec != nil, nil, h.exec()},
		"POST /size":         {h.Size != nil, []string{"console", "client", "rows", "columns"}, h.size},
	} {
		if route.present {
			mux.HandleFunc(pattern, strictQuery(pattern, route.parameters, route.handle))
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
	// The stop continues if the client disconnects.
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
			return request, fmt.Errorf("invalid timeout %q: must be a positive duration, e.g. 30s", text)
		}
	}
	if text := query.Get("force"); text != "" {
		if request.Force, err = strconv.ParseBool(text); err != nil {
			return request, fmt.Errorf("invalid force %q: must be true or false", text)
		}
	}
	return request, nil
}

// reply answers with value in JSON.
func reply(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	text, err := json.Marshal(value)
	if err != nil {
		return // cannot happen: each caller passes a type that has a JSON form
	}
	_, _ = w.Write(append(plaintext.JSON(text), '\n')) // fails only if the client has disconnected
}

package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"microvm-console/internal/ctl"
	"microvm-console/internal/peer"
	"microvm-console/internal/relay"
)

// stream answers GET /stream with a console's bytes. If they end with an error, it breaks
// off the answer, so that the client notices.
func (h Handlers) stream(w http.ResponseWriter, r *http.Request) {
	request, err := streamRequest(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	stream, err := h.Stream(r.Context(), request)
	switch {
	case errors.As(err, new(*relay.PartError)):
		http.Error(w, err.Error(), http.StatusRequestedRangeNotSatisfiable)
		return
	case errors.Is(err, relay.ErrTooManyClients):
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	case err != nil:
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	defer stream.Close()
	header := w.Header()
	header.Set("Content-Type", "application/octet-stream")
	header.Set(ctl.HeaderOffset, strconv.FormatInt(stream.Offset, 10))
	header.Set(ctl.HeaderLive, strconv.FormatInt(stream.Live, 10))
	header.Set(ctl.HeaderGap, strconv.FormatInt(stream.Gap, 10))
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	// The client gets the headers at once: it may type into a guest that has printed
	// nothing yet.
	if err := control.Flush(); err != nil {
		return // the client has disconnected
	}
	if _, err := io.Copy(flusher{w, control}, stream); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// flusher is a ResponseWriter that flushes after each Write.
type flusher struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (f flusher) Write(data []byte) (int, error) {
	n, err := f.ResponseWriter.Write(data)
	if err != nil {
		return n, err
	}
	return n, f.control.Flush()
}

// input answers POST /input: it types the body into the console, as it comes.
func (h Handlers) input(w http.ResponseWriter, r *http.Request) {
	request, err := streamRequest(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	typist, err := h.Input(request)
	switch {
	case replySeatTaken(w, err):
		return
	case err != nil:
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	defer typist.Close()
	// A client that loses the seat gets its answer at once, not at the end of its input.
	_ = http.NewResponseController(w).EnableFullDuplex() // HTTP/1 always can
	w.Header().Set("Connection", "close")
	var to io.Writer = typist
	if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok {
		to = peer.Writer{Writer: typist, Conn: conn, Gone: typist.Close}
	}
	typed := make(chan error, 1)
	go func() { // ends with the body, at the latest with the answer, or with the typist
		_, err := io.Copy(to, r.Body)
		typed <- err
	}()
	err = await(w, typist, typed)
	if !replySeatTaken(w, err) && err != nil {
		http.Error(w, err.Error(), http.StatusGone)
	}
}

// await waits until the input is typed or the typist has lost the seat, and returns the
// error of either. Meanwhile it reports other clients that type to the client.
func await(w http.ResponseWriter, typist Typist, typed <-chan error) error {
	for {
		select {
		case err := <-typed:
			return err
		case err := <-typist.Lost():
			return err
		case through := <-typist.Others():
			w.Header().Set(ctl.HeaderThrough, url.QueryEscape(through))
			w.WriteHeader(http.StatusProcessing)
			w.Header().Del(ctl.HeaderThrough)
		}
	}
}

// replySeatTaken answers 409 if err is a *relay.SeatTakenError, and reports whether it is.
func replySeatTaken(w http.ResponseWriter, err error) bool {
	taken := (*relay.SeatTakenError)(nil)
	if !errors.As(err, &taken) {
		return false
	}
	w.Header().Set(ctl.HeaderHolder, url.QueryEscape(taken.Holder))
	http.Error(w, err.Error(), http.StatusConflict)
	return true
}

// streamParameters are those of /stream and /input: the client sends all of them to either.
var streamParameters = []string{"console", "from", "boot", "client", "terminal", "gaps", "seat"}

// streamRequest reads the query of a request for a console.
func streamRequest(r *http.Request) (ctl.StreamRequest, error) {
	query := r.URL.Query()
	request := ctl.StreamRequest{
		Console: query.Get("console"),
		From:    query.Get("from"),
		Client:  query.Get("client"),
		Seat:    query.Get("seat"),
	}
	if request.Seat != "" && request.Seat != ctl.SeatTake && request.Seat != ctl.SeatForce {
		return request, fmt.Errorf("invalid seat %q: must be %s or %s", request.Seat, ctl.SeatTake, ctl.SeatForce)
	}
	var err error
	if text := query.Get("boot"); text != "" {
		if request.Boot, err = strconv.Atoi(text); err != nil || request.Boot > 0 {
			return request, fmt.Errorf("invalid boot %q: 0 is the newest one, -1 the one before", text)
		}
	}
	for name, field := range map[string]*bool{"terminal": &request.Terminal, "gaps": &request.Gaps} {
		if text := query.Get(name); text != "" {
			if *field, err = strconv.ParseBool(text); err != nil {
				return request, fmt.Errorf("invalid %s %q: must be true or false", name, text)
			}
		}
	}
	return request, nil
}

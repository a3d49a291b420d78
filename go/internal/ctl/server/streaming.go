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

// stream answers GET /stream with a console's bytes. Where they end before
// their time, the answer is broken off, so that the client knows.
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
	case errors.Is(err, relay.ErrCrowded):
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
	// The client is told at once that it is attached: a guest that has printed
	// nothing yet can be typed into.
	if err := control.Flush(); err != nil {
		return // it has gone
	}
	if _, err := io.Copy(flusher{w, control}, stream); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// flusher sends at once what is written.
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

// input answers POST /input by typing what comes, as it comes.
func (h Handlers) input(w http.ResponseWriter, r *http.Request) {
	request, err := streamRequest(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	typist, err := h.Input(request)
	switch {
	case seatTaken(w, err):
		return
	case err != nil:
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	defer typist.Close()
	// A client that loses the seat gets its answer at once, and not when its input ends.
	_ = http.NewResponseController(w).EnableFullDuplex() // it is HTTP/1
	w.Header().Set("Connection", "close")
	var to io.Writer = typist
	if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok {
		to = peer.Writer{Writer: typist, Conn: conn, Gone: typist.Close}
	}
	typed := make(chan error, 1)
	go func() { // it ends with the body, which ends with the answer, or with the typist
		_, err := io.Copy(to, r.Body)
		typed <- err
	}()
	select {
	case err = <-typed:
	case err = <-typist.Lost():
	}
	if !seatTaken(w, err) && err != nil {
		http.Error(w, err.Error(), http.StatusGone)
	}
}

// seatTaken answers with err if it is a *relay.SeatTakenError, and reports whether it is.
func seatTaken(w http.ResponseWriter, err error) bool {
	taken := (*relay.SeatTakenError)(nil)
	if !errors.As(err, &taken) {
		return false
	}
	w.Header().Set(ctl.HeaderHolder, url.QueryEscape(taken.Holder))
	http.Error(w, err.Error(), http.StatusConflict)
	return true
}

// streamParameters are those of a request for a console: the query of a
// ctl.StreamRequest has all of them, whatever it is for.
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
		return request, fmt.Errorf("seat: %q is neither %s nor %s", request.Seat, ctl.SeatTake, ctl.SeatForce)
	}
	var err error
	if text := query.Get("boot"); text != "" {
		if request.Boot, err = strconv.Atoi(text); err != nil || request.Boot > 0 {
			return request, fmt.Errorf("boot: %q is no boot (0 is this one, -1 the one before)", text)
		}
	}
	for name, field := range map[string]*bool{"terminal": &request.Terminal, "gaps": &request.Gaps} {
		if text := query.Get(name); text != "" {
			if *field, err = strconv.ParseBool(text); err != nil {
				return request, fmt.Errorf("%s: %q is neither true nor false", name, text)
			}
		}
	}
	return request, nil
}

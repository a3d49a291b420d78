package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"microvm-console/internal/ctl"
)

// check returns an error for a request that cannot be run anywhere.
func check(r ctl.ExecRequest) error {
	if len(r.Command) == 0 || r.Command[0] == "" {
		return errors.New(`command: is missing (as {"command": ["uname", "-r"]})`)
	}
	for _, variable := range r.Env {
		if strings.Index(variable, "=") < 1 {
			return fmt.Errorf("env: %q is no variable (write it as NAME=value)", variable)
		}
	}
	return nil
}

const (
	// maxExec bounds a request to run a command, in bytes.
	maxExec = 16 << 20
	// maxBodies is how many such requests are read at a time. Others wait, for
	// bodyLimit at most, which is also how long one may take to come whole.
	maxBodies = 8
	bodyLimit = 30 * time.Second
)

// execBodies reads the requests to run a command. It holds a token for each that is
// being read.
type execBodies chan struct{}

// read returns the request in a body, or an error and its status.
func (b execBodies) read(w http.ResponseWriter, r *http.Request) (request ctl.ExecRequest, status int, err error) {
	late := time.NewTimer(bodyLimit)
	defer late.Stop()
	select {
	case b <- struct{}{}:
		defer func() { <-b }()
	case <-late.C:
		return request, http.StatusTooManyRequests, fmt.Errorf("%d other requests to run a command are still coming (try again)", maxBodies)
	}
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Now().Add(bodyLimit)); err != nil {
		return request, http.StatusInternalServerError, err
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxExec))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(&request)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return request, http.StatusRequestEntityTooLarge, fmt.Errorf("%w (a request has at most %d bytes)", ctl.ErrTooLong, maxExec)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return request, http.StatusRequestTimeout, fmt.Errorf("body: has not come whole within %v", bodyLimit)
	case err != nil:
		return request, http.StatusBadRequest, fmt.Errorf("body: %w (it is JSON: {\"command\": [\"uname\", \"-r\"]})", err)
	}
	// The command may take as long as it likes, and its client may leave meanwhile.
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		return request, http.StatusInternalServerError, err
	}
	return request, http.StatusBadRequest, check(request)
}

// exec returns what answers POST /exec with the frames of a command, a line of JSON each.
func (h Handlers) exec() http.HandlerFunc {
	bodies := make(execBodies, maxBodies)
	return func(w http.ResponseWriter, r *http.Request) {
		request, status, err := bodies.read(w, r)
		if err != nil {
			http.Error(w, err.Error(), status)
			return
		}
		h.run(w, r, request)
	}
}

// run runs a command and sends its frames.
func (h Handlers) run(w http.ResponseWriter, r *http.Request, request ctl.ExecRequest) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	encoder, begun := json.NewEncoder(flusher{w, http.NewResponseController(w)}), false
	err := h.Exec(r.Context(), request, func(frame ctl.ExecFrame) error {
		begun = true
		return encoder.Encode(frame)
	})
	switch {
	case err == nil:
	case begun:
		end := ctl.ExecEnd{Error: err.Error(), Panicked: errors.Is(err, ctl.ErrPanicked)}
		_ = encoder.Encode(ctl.ExecFrame{End: &end}) // the only error is that the client has gone
	default:
		http.Error(w, err.Error(), ctl.ExecCode(err))
	}
}

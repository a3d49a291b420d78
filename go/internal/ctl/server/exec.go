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

// validate returns an error if no guest could run a request.
func validate(r ctl.ExecRequest) error {
	if len(r.Command) == 0 || r.Command[0] == "" {
		return errors.New(`command: is missing (e.g. {"command": ["uname", "-r"]})`)
	}
	for _, variable := range r.Env {
		if strings.Index(variable, "=") < 1 {
			return fmt.Errorf("env: invalid variable %q (write NAME=value)", variable)
		}
	}
	return nil
}

const (
	// maxExec bounds a request to run a command, in bytes.
	maxExec = 16 << 20
	// maxBodies is how many such requests are read at a time. Others wait.
	maxBodies = 8
	// bodyLimit bounds that wait, and then the time until a body is complete.
	bodyLimit = 30 * time.Second
)

// execBodies reads requests to run a command. It holds a token for each one that is being
// read.
type execBodies chan struct{}

// read returns the request in a body, or an error with its HTTP status.
func (b execBodies) read(w http.ResponseWriter, r *http.Request) (request ctl.ExecRequest, status int, err error) {
	late := time.NewTimer(bodyLimit)
	defer late.Stop()
	select {
	case b <- struct{}{}:
		defer func() { <-b }()
	case <-late.C:
		return request, http.StatusTooManyRequests, fmt.Errorf("%d other requests to run a command are incomplete (try again)", maxBodies)
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
		return request, http.StatusRequestTimeout, fmt.Errorf("body: incomplete after %v", bodyLimit)
	case err != nil:
		return request, http.StatusBadRequest, fmt.Errorf("body: %w (write JSON, e.g. {\"command\": [\"uname\", \"-r\"]})", err)
	}
	// The command has no time limit, and a disconnect must be noticed while it runs.
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		return request, http.StatusInternalServerError, err
	}
	return request, http.StatusBadRequest, validate(request)
}

// exec returns the handler of POST /exec. It answers with the frames of the command, one
// line of JSON each.
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
		_ = encoder.Encode(ctl.ExecFrame{End: &end}) // fails only if the client has disconnected
	default:
		http.Error(w, err.Error(), ctl.ExecCode(err))
	}
}

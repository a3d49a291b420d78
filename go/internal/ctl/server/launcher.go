package server

import (
	"errors"
	"fmt"
	"net/http"

	"microvm-console/internal/ctl"
)

// sendBreak answers POST /break.
func (h Handlers) sendBreak(w http.ResponseWriter, r *http.Request) {
	if err := h.Break(r.Context(), r.URL.Query().Get("console")); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
	}
}

// boot answers POST /boot.
func (h Handlers) boot(w http.ResponseWriter, r *http.Request) {
	number, err := h.Boot(r.Context())
	if errors.Is(err, ctl.ErrEnding) {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	reply(w, http.StatusOK, ctl.BootReply{Boot: number})
}

// orders answers GET /orders with a line for each order, as they come.
func (h Handlers) orders(w http.ResponseWriter, r *http.Request) {
	out := flusher{w, http.NewResponseController(w)}
	if out.control.Flush() != nil {
		return // it has gone
	}
	for {
		order, err := h.NextOrder(r.Context())
		if err != nil {
			return
		}
		if _, err := fmt.Fprintln(out, order); err != nil {
			return
		}
	}
}

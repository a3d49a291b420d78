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

// maxHow bounds the text of POST /boot/end, in bytes.
const maxHow = 1000

// endBoot answers POST /boot/end.
func (h Handlers) endBoot(w http.ResponseWriter, r *http.Request) {
	how := r.URL.Query().Get("how")
	if how == "" || len(how) > maxHow {
		http.Error(w, fmt.Sprintf("how: want 1 to %d bytes", maxHow), http.StatusBadRequest)
		return
	}
	h.EndBoot(how)
}

// orders answers GET /orders with one line per order, as they come.
func (h Handlers) orders(w http.ResponseWriter, r *http.Request) {
	out := flusher{w, http.NewResponseController(w)}
	if out.control.Flush() != nil {
		return // the client has disconnected
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

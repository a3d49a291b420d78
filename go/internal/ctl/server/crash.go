package server

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"

	"microvm-console/internal/ctl"
)

// crash answers POST /crash.
func (h Handlers) crash(w http.ResponseWriter, r *http.Request) {
	request, err := crashRequest(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	// A bundle is completed even if the client disconnects.
	bundle, err := h.Crash(context.WithoutCancel(r.Context()), request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	reply(w, http.StatusOK, bundle)
}

// crashRequest reads the query of a POST /crash.
func crashRequest(r *http.Request) (ctl.CrashRequest, error) {
	query := r.URL.Query()
	request := ctl.CrashRequest{Reason: "requested", Output: query.Get("output")}
	if request.Output != "" && !filepath.IsAbs(request.Output) {
		return request, fmt.Errorf("invalid output %q: must be an absolute path", request.Output)
	}
	for name, flag := range map[string]*bool{"dump": &request.Dump, "nmi": &request.NMI, "force": &request.Force} {
		text := query.Get(name)
		if text == "" {
			continue
		}
		value, err := strconv.ParseBool(text)
		if err != nil {
			return request, fmt.Errorf("invalid %s %q: must be true or false", name, text)
		}
		*flag = value
	}
	return request, nil
}

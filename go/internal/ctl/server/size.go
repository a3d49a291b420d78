package server

import (
	"fmt"
	"net/http"
	"strconv"

	"microvm-console/internal/ctl"
)

// maxSize is the largest number of rows or columns of a terminal (struct winsize).
const maxSize = 1<<16 - 1

// size answers POST /size.
func (h Handlers) size(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	request := ctl.SizeRequest{Console: query.Get("console"), Client: query.Get("client")}
	if request.Client == "" {
		http.Error(w, "client: is missing (use the name of its stream)", http.StatusBadRequest)
		return
	}
	for name, field := range map[string]*int{"rows": &request.Rows, "columns": &request.Columns} {
		number, err := strconv.Atoi(query.Get(name))
		if err != nil || number < 1 || number > maxSize {
			http.Error(w, fmt.Sprintf("invalid %s %q: must be from 1 to %d, e.g. rows=24&columns=80", name, query.Get(name), maxSize), http.StatusBadRequest)
			return
		}
		*field = number
	}
	if err := h.Size(request); err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
	}
}

package ctl

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// SizeRequest tells the size of a client's terminal, in characters. The guest
// gets that of who has the writer's seat, and with nobody there, the newest.
type SizeRequest struct {
	Console string
	Client  string // as in StreamRequest, and not ""
	Rows    int
	Columns int
}

// maxSize is the largest number of rows or columns that a terminal can have
// (struct winsize).
const maxSize = 1<<16 - 1

// Size tells the size of a terminal. That the guest gets it is not waited for,
// and without an agent there it never does.
func (c Client) Size(ctx context.Context, r SizeRequest) error {
	query := url.Values{
		"console": {r.Console}, "client": {r.Client},
		"rows": {strconv.Itoa(r.Rows)}, "columns": {strconv.Itoa(r.Columns)},
	}
	response, err := c.send(ctx, http.MethodPost, "/size?"+query.Encode())
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// size answers POST /size.
func (h Handlers) size(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	request := SizeRequest{Console: query.Get("console"), Client: query.Get("client")}
	if request.Client == "" {
		http.Error(w, "client: is missing (write the name that its stream has)", http.StatusBadRequest)
		return
	}
	for name, field := range map[string]*int{"rows": &request.Rows, "columns": &request.Columns} {
		number, err := strconv.Atoi(query.Get(name))
		if err != nil || number < 1 || number > maxSize {
			http.Error(w, fmt.Sprintf("%s: %q is no number from 1 to %d (as rows=24&columns=80)", name, query.Get(name), maxSize), http.StatusBadRequest)
			return
		}
		*field = number
	}
	if err := h.Size(request); err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
	}
}

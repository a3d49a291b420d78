package ctl

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

// SizeRequest is the size of a client's terminal, in characters. The guest gets the size
// of the client with the writer's seat, or the newest one if the seat is free.
type SizeRequest struct {
	Console string
	Client  string // as in StreamRequest, but not ""
	Rows    int
	Columns int
}

// Size reports the size of a terminal. It does not wait until the guest has it. A guest
// without an agent never gets it.
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

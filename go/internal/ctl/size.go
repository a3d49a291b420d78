package ctl

import (
	"context"
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

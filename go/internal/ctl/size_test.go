package ctl_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/ctl"
	"microvm-console/internal/ctl/server"
)

func TestSize(t *testing.T) {
	path, want := socket(t), ctl.SizeRequest{Console: "serial", Client: "connect-serial[9]", Rows: 24, Columns: 65535}
	var got ctl.SizeRequest
	serve(t, path, server.Handlers{Size: func(r ctl.SizeRequest) error {
		got = r
		return nil
	}})
	if err := (ctl.Client{Path: path}).Size(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, query := range []string{"", "rows=0&columns=80", "rows=24&columns=65536", "rows=x&columns=80", "rows=24"} {
		if code, _ := ask(t, path, http.MethodPost, "/size?console=serial&client=me&"+query, ""); code != http.StatusBadRequest {
			t.Errorf("%q: %d", query, code)
		}
	}
}

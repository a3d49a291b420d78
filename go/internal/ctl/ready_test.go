package ctl_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/ctl"
	"microvm-console/internal/ctl/server"
	"microvm-console/internal/state"
)

func TestAwaitReady(t *testing.T) {
	path, answers := socket(t), make(chan error)
	end := serve(t, path, server.Handlers{
		Status: func() state.Machine { return status },
		AwaitReady: func(ctx context.Context) error {
			select {
			case err := <-answers:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		},
	})
	client := ctl.Client{Path: path}
	go func() { answers <- nil }()
	got, err := client.AwaitReady(t.Context())
	if diff := cmp.Diff(status, got); diff != "" || err != nil {
		t.Errorf("ready: %v, %s", err, diff)
	}
	go func() { answers <- ctl.ErrNeverReady }()
	if _, err := client.AwaitReady(t.Context()); !errors.Is(err, ctl.ErrNeverReady) {
		t.Errorf("a machine that ends: %v", err)
	}
	late := errors.New("late")
	limit, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, late)
	defer cancel()
	if _, err := client.AwaitReady(limit); !errors.Is(err, late) {
		t.Errorf("a time limit: %v", err)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
	if _, err := client.AwaitReady(t.Context()); !errors.Is(err, ctl.ErrNeverReady) {
		t.Errorf("no server: %v", err)
	}
}

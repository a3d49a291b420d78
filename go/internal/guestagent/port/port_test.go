package port

import (
	"context"
	"errors"
	"testing"
	"time"
)

// Other tests of ports need a guest; see tests/guest/agent_test.go.
func TestOpenEndsWithItsContext(t *testing.T) {
	timeout := errors.New("timeout")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Millisecond, timeout)
	defer cancel()
	if _, err := Open(ctx, "org.example.absent"); !errors.Is(err, timeout) {
		t.Errorf("got %v", err)
	}
}

func TestWaitWithoutNetworkSupport(t *testing.T) {
	if err := (uevents{}).wait(t.Context(), "virtio-ports"); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (uevents{}).wait(ctx, "virtio-ports"); err != nil {
		t.Error(err)
	}
}

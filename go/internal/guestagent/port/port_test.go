package port

import (
	"context"
	"errors"
	"testing"
	"time"
)

// What a port does needs a guest: tests/guest/agent_test.go has one. Here is only how
// the wait for one ends.
func TestOpenEndsWithItsContext(t *testing.T) {
	enough := errors.New("enough")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Millisecond, enough)
	defer cancel()
	if _, err := Open(ctx, "org.example.nobody"); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}

func TestAKernelWithoutNetworkIsLookedAtAgain(t *testing.T) {
	if err := (uevents{}).wait(t.Context(), "virtio-ports"); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (uevents{}).wait(ctx, "virtio-ports"); err != nil {
		t.Error(err)
	}
}

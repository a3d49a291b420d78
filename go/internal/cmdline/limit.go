package cmdline

import (
	"context"
	"time"
)

// Limited returns a context that ends with cause after limit, or not by itself if limit is 0.
// The caller must call cancel.
func Limited(ctx context.Context, limit time.Duration, cause error) (limited context.Context, cancel context.CancelFunc) {
	if limit == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, limit, cause)
}

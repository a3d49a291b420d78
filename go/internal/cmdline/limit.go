package cmdline

import (
	"context"
	"time"
)

// Limited is ctx, ended with cause after limit; 0: there is none. The caller calls
// cancel.
func Limited(ctx context.Context, limit time.Duration, cause error) (limited context.Context, cancel context.CancelFunc) {
	if limit == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, limit, cause)
}

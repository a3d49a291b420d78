package follow

import (
	"context"
	"path/filepath"

	"microvm-console/internal/rundir"
)

// nextStart waits until another owner serves the console or channel of last, or the same one if
// same is set, and returns the new target.
func nextStart(ctx context.Context, last Target, same bool) (Target, error) {
	dir := filepath.Dir(last.Client.Path) // of the control socket
	changes := watch(filepath.Dir(dir))
	defer changes.close()
	for {
		changes.add(dir) // may be a new folder
		if t, err := findAgain(ctx, last); err == nil && (same || t.owner != last.owner) {
			return t, nil
		}
		if ctx.Err() != nil {
			return Target{}, context.Cause(ctx)
		}
		changes.wait(ctx)
	}
}

// findAgain is Find for the place of last. It does not wait for a start if no VM runs.
func findAgain(ctx context.Context, last Target) (Target, error) {
	if !last.Channel {
		if locked, err := rundir.Find(last.Name).Locked(); err != nil || !locked {
			return Target{}, errStarting
		}
	}
	return Find(ctx, last.place())
}

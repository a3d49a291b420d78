package attach

import (
	"context"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"microvm-console/internal/ctl"
)

// tellSize tells the owner the size of the terminal, now and whenever it changes,
// until ctx ends. An owner may know nothing of sizes, and a guest have no agent:
// then nothing comes of it.
func (s *session) tellSize(ctx context.Context, client ctl.Client, request ctl.StreamRequest) error {
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, unix.SIGWINCH)
	defer signal.Stop(changed)
	for {
		if columns, rows, err := term.GetSize(s.fd); err == nil && columns > 0 && rows > 0 {
			_ = client.Size(ctx, ctl.SizeRequest{Console: request.Console, Client: request.Client, Rows: rows, Columns: columns})
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

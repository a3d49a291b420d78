package crash

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// dumpName is the file with the guest's memory.
const dumpName = "memory.elf"

// dumpPoll is how often the end of a dump is looked for.
const dumpPoll = 50 * time.Millisecond

// dump adds the guest's memory, as an ELF core file for crash(8) and drgn. QEMU writes it, and
// pauses the guest meanwhile. QEMU runs as this user.
func (s Source) dump(ctx context.Context, b *bundle) {
	// QEMU would create the file with mode 0400; it keeps that of an existing one.
	file, err := os.OpenFile(b.path(dumpName), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		err = errors.Join(file.Close(), s.writeDump(ctx, b.path(dumpName)))
	}
	if err != nil {
		b.problem(dumpName, err)
		os.Remove(b.path(dumpName)) // a part of the memory cannot be opened
		return
	}
	b.list(dumpName, "the guest's memory, for crash and drgn")
}

// writeDump makes QEMU write the guest's memory to path, and waits for the end. QEMU answers other
// commands meanwhile.
func (s Source) writeDump(ctx context.Context, path string) error {
	arguments := map[string]any{"paging": false, "protocol": "file:" + path, "detach": true}
	if err := s.Monitor(ctx, "dump-guest-memory", arguments, nil); err != nil {
		return err
	}
	for ctx.Err() == nil {
		var dump struct {
			Status           string
			Completed, Total int64
		}
		if err := s.Monitor(ctx, "query-dump", nil, &dump); err != nil {
			return err
		}
		switch dump.Status {
		case "completed":
			return nil
		case "active":
			time.Sleep(dumpPoll)
		default:
			return fmt.Errorf("QEMU has written %d of %d bytes (check the free space on the host)", dump.Completed, dump.Total)
		}
	}
	return context.Cause(ctx)
}

package attach

import (
	"errors"
	"os"

	"golang.org/x/term"

	"microvm-console/internal/journal"
)

// Log shows a boot that a snapshot holds, as a terminal that attaches shows what
// has been. Of the options it takes Boot, Timestamps and Raw.
func Log(snapshot *journal.Snapshot, o Options, out *os.File) error {
	boot, err := snapshot.Boot(o.Boot)
	if err != nil {
		return err
	}
	start, end := boot.Start, boot.End
	screen := newOutput(out, o, term.IsTerminal(int(out.Fd())), false)
	if screen.stamps != nil {
		screen.stamps.past = snapshot.Times(start, end)
	}
	err = snapshot.Copy(&past{screen, start}, start, end)
	return errors.Join(err, screen.close())
}

// past is what has been, on its way to an output.
type past struct {
	screen *output
	offset int64
}

func (p *past) Write(data []byte) (int, error) {
	if err := p.screen.write(data, p.offset, false); err != nil {
		return 0, err
	}
	p.offset += int64(len(data))
	return len(data), nil
}

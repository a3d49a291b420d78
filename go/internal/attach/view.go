package attach

import (
	"cmp"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"

	"microvm-console/internal/follow"
	"microvm-console/internal/journal"
	"microvm-console/internal/logs"
)

// View shows the events of a stream. It writes the bytes to an output, marks on a terminal
// where boots begin, and prints notices.
type View struct {
	out     *output
	notices notices
	color   bool
	lost    bool
}

// File is what a view writes to: an *os.File, or a writer in front of one, whose descriptor
// says whether it is a terminal.
type File interface {
	io.Writer
	Fd() uintptr
}

// NewView returns a View that writes to out, and its notices to log. It uses the options
// Program, Timestamps, Raw and Color. The caller calls Close.
func NewView(o Options, out File, log io.Writer) *View {
	o.ReadOnly = true
	return newView(o, newOutput(out, o, term.IsTerminal(int(out.Fd())), false), log)
}

func newView(o Options, out *output, log io.Writer) *View {
	return &View{out: out, notices: newNotices(log, o.Program), color: o.Color}
}

// Handle shows an event.
func (v *View) Handle(e follow.Event) error {
	switch e.Kind {
	case follow.Connected:
		if v.lost {
			v.notices.say("connected again")
		}
		v.lost = false
		v.recall(e.Target.Console.Relay.Journal, e.Offset, e.Live)
	case follow.Boot:
		if v.out.terminal {
			return v.out.rule(e.Boot, v.color)
		}
	case follow.Data:
		return v.out.write(e.Data, e.Offset, !e.History)
	case follow.Gap:
		v.missing(e.Missing)
	case follow.Lost:
		v.lost = true
		v.notices.say("connection to %s lost", e.Target.Name)
	case follow.Ended:
		v.lost = false
		return v.out.restore() // the next start begins with the initial modes
	}
	return nil
}

// SayEnded prints a notice that the target has ended, how, and what happens next; "" if
// nothing does.
func (v *View) SayEnded(e follow.Event, next string) {
	if next != "" {
		next = "; " + next
	}
	v.notices.say("%s%s", endOf(e), next)
}

// missing prints a notice that bytes are missing; -1 if the number is unknown.
func (v *View) missing(bytes int64) {
	if bytes < 0 {
		v.notices.say("bytes may be missing here (console-status shows why)")
		return
	}
	v.notices.say("%d bytes are missing here", bytes)
}

// recall reads the times of the history with which a stream begins, from offset start to
// end, if the output has stamps. Without a journal the times stay unknown.
func (v *View) recall(dir string, start, end int64) {
	if v.out.stamps == nil {
		return
	}
	v.out.stamps.past = nil
	if snapshot, err := journal.TakeSnapshot(dir); err == nil {
		v.out.stamps.past = snapshot.Times(start, end)
	}
}

// Show shows the bytes of a snapshot from offset start to end.
func (v *View) Show(snapshot *journal.Snapshot, start, end int64) error {
	if v.out.stamps != nil {
		v.out.stamps.past = snapshot.Times(start, end)
	}
	return follow.Kept(snapshot, start, end, v.Handle)
}

// showEnded shows a boot of a console that is not served. If nothing is kept of the console
// it returns missing, the error of finding it.
func (v *View) showEnded(o Options, missing error) error {
	log, err := logs.OfChannel(o.Place.Channel)
	if o.Place.Channel == "" {
		log, err = logs.OfConsole(o.Place.Machine, o.Place.Console, o.Consoles)
	}
	if errors.Is(err, logs.ErrNone) || o.Place.Channel == "" && o.Place.Machine == "" {
		return missing
	}
	if err != nil {
		return err
	}
	return v.showBoot(log, o)
}

// ShowBoot shows a boot of a log on out. It uses the options From, Boot and those of
// NewView. The error is journal.ErrNotKept if the boot is no longer kept.
func ShowBoot(log logs.Log, o Options, out *os.File, notices io.Writer) error {
	return NewView(o, out, notices).showBoot(log, o)
}

func (v *View) showBoot(log logs.Log, o Options) error {
	snapshot, err := log.Snapshot()
	if err != nil {
		return err
	}
	boot, err := snapshot.Boot(o.Boot)
	if err != nil {
		return err
	}
	v.SayEmpty(log, snapshot, boot)
	err = v.Show(snapshot, position(o.From, boot), boot.End)
	return cmp.Or(err, v.Close())
}

// SayEmpty prints a notice if boot, the newest one of a log, has printed nothing.
func (v *View) SayEmpty(log logs.Log, snapshot *journal.Snapshot, boot journal.Boot) {
	if boot.Start < boot.End {
		return
	}
	before := ""
	if len(snapshot.Boots()) > 1 {
		before = "; --boot -1 is the one before"
	}
	running := boot.Ended.IsZero() && snapshot.Written()
	v.notices.say("boot %d has printed nothing: %s%s", boot.Number, log.How(boot, running), before)
}

// position returns the offset in a boot that has ended for a ctl.StreamRequest.From.
func position(from string, boot journal.Boot) int64 {
	if from == "now" {
		return boot.End
	}
	offset, err := strconv.ParseInt(from, 10, 64)
	if err != nil { // "start"
		return boot.Start
	}
	if strings.HasPrefix(from, "-") {
		offset += boot.End
	}
	return min(max(boot.Start, offset), boot.End)
}

// Close restores the terminal, and begins a new line there unless the output has ended with
// one, so that the prompt of the user's shell does not follow the output. It does not close
// the output.
func (v *View) Close() error {
	err := v.out.restore()
	if !v.out.terminal || !v.out.within.Load() {
		return err
	}
	_, failed := io.WriteString(v.out.w, newLine(v.out))
	return cmp.Or(err, failed)
}

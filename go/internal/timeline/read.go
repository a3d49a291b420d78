package timeline

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"microvm-console/internal/journal"
	"microvm-console/internal/verdict"
)

// Source is a boot in the journal of a console.
type Source struct {
	Name     string // of the console, for the picture; as in the verdict; see logs.Log.Label
	Snapshot *journal.Snapshot
	Boot     journal.Boot
}

// Read returns the boot that the sources have recorded, one for each console. Its times are those
// of the journal's index, so their resolution is 10 ms. Its Events are those of the verdict on the
// kernel's log that are shown, and the bytes that are missing. Its Title and Checks are empty.
func Read(sources []Source, kernel verdict.Result) (Boot, error) {
	boot := Boot{}
	var found milestones
	times := map[string]journal.Times{}
	for _, source := range sources {
		marks := source.Snapshot.Times(source.Boot.Start, source.Boot.End)
		times[source.Name] = marks
		boot.Consoles = append(boot.Consoles, Console{source.Name, output(marks, source.Boot)})
		boot.extend(source.Boot, marks)
		scan := scanner{found: &found, console: source.Name, times: marks, offset: source.Boot.Start}
		err := source.Snapshot.Walk(source.Boot.Start, source.Boot.End, scan.printed, func(gone error) {
			skipped, _, _ := journal.Gone(gone)
			scan.skip(skipped)
		})
		if err != nil {
			return boot, fmt.Errorf("%s: %w", source.Name, err)
		}
		scan.end()
	}
	if len(sources) > 0 { // all consoles have the same records
		found.ready = Mark{sources[0].Boot.Ready, sources[0].Boot.ReadyBy}
		found.restarts = restarts(sources[0].Boot.Restarts)
	}
	if boot.Start.IsZero() { // the index is damaged
		boot.Start = boot.End
	}
	boot.Marks = found.marks()
	boot.judge(kernel, times)
	return boot, nil
}

// mostRestarts is how many restarts of the guest a picture shows.
const mostRestarts = 4

// restarts returns the first restarts of a guest and, if there are too many, the last one.
func restarts(all []journal.Restart) []Mark {
	var marks []Mark
	for i, restart := range all {
		if i < mostRestarts-1 || i == len(all)-1 {
			marks = append(marks, Mark{restart.Time, fmt.Sprintf("restart %d", i+1)})
		}
	}
	return marks
}

// output returns the bytes of a boot over time.
func output(marks journal.Times, boot journal.Boot) []Output {
	var all []Output
	for i, mark := range marks {
		end := boot.End
		if i+1 < len(marks) {
			end = marks[i+1].Offset
		}
		if n := end - max(mark.Offset, boot.Start); n > 0 {
			all = append(all, Output{mark.Time, n})
		}
	}
	return all
}

// extend extends the time of the picture to that of one console.
func (b *Boot) extend(boot journal.Boot, marks journal.Times) {
	start := boot.Started
	if start.IsZero() && len(marks) > 0 {
		start = marks[0].Time
	}
	earlier(&b.Start, start)
	b.End = later(later(later(b.End, boot.Last), boot.Ended), b.Start)
	b.Ended = cmp.Or(b.Ended, boot.How)
}

// judge adds the events and the gaps of a verdict. times are those of each console's output.
func (b *Boot) judge(kernel verdict.Result, times map[string]journal.Times) {
	add := func(console string, offset int64, text string, fails bool) {
		b.Events = append(b.Events, Event{later(b.Start, times[console].At(offset)), text, fails})
	}
	for _, event := range kernel.Events {
		if event.Treatment != verdict.Ignore {
			add(event.Console, event.Begin, caption(event), event.Treatment == verdict.Fail)
		}
	}
	for _, gap := range kernel.Gaps {
		missing := "bytes"
		if gap.Bytes >= 0 {
			missing = size(gap.Bytes)
		}
		add(gap.Console, gap.Offset, fmt.Sprintf("missing: %s of %s: %s", missing, gap.Console, gap.Cause), true)
	}
}

// caption returns the kind and the title of an event, and its function if the title lacks it.
func caption(event verdict.Event) string {
	text := event.Title
	if event.Function != "" && !strings.Contains(text, event.Function) {
		text += " (" + event.Function + ")"
	}
	return string(event.Kind) + ": " + text
}

// earlier sets first to at if that is earlier, and reports whether it did. A zero time is unknown.
func earlier(first *time.Time, at time.Time) bool {
	if at.IsZero() || !first.IsZero() && !at.Before(*first) {
		return false
	}
	*first = at
	return true
}

// later returns the later of two times.
func later(one, other time.Time) time.Time {
	if other.After(one) {
		return other
	}
	return one
}

package timeline

import (
	"fmt"
	"io"
	"math"
	"slices"
	"time"
)

// The layout of a picture, in pixels.
const (
	margin  = 16.0
	left    = 116.0 // the names of the consoles are left of it
	right   = Width - margin
	row     = 18.0 // the height of a line of text
	lane    = 44.0 // the height of the output of a console
	gap     = 12.0
	columns = 175 // of the output
)

// The numbers of events and checks that a picture shows.
const (
	maxEvents = 12
	maxChecks = 60
)

// painter draws a boot from top to bottom.
type painter struct {
	canvas
	boot  Boot
	shown time.Duration // what the width shows
	y     float64       // where the next part begins
}

// Write writes the picture of a boot as an SVG.
func Write(w io.Writer, boot Boot) error {
	p := painter{boot: boot, shown: max(boot.shown().Sub(boot.Start), 10*time.Millisecond), y: margin}
	p.heading()
	p.milestones()
	top := p.y
	p.consoles()
	p.axis(top)
	p.events(top)
	p.checks()
	return p.write(w, boot.Title, p.y+margin/2)
}

// x returns the place of a time.
func (p *painter) x(at time.Time) float64 {
	part := at.Sub(p.boot.Start).Seconds() / p.shown.Seconds()
	return left + (right-left)*min(1, max(0, part))
}

// heading draws the title, and how long the boot has taken and how it ended.
func (p *painter) heading() {
	p.y += 14
	about := duration(p.boot.End.Sub(p.boot.Start))
	if p.boot.Ended != "" {
		about += ", " + p.boot.Ended
	}
	about = cut(about, (right-margin)/2)
	p.text("strong", "start", cut(p.boot.Title, right-margin-gap-wide(about)), margin, p.y)
	p.text("dim", "end", about, right, p.y)
	p.y += gap
}

// milestones draws the labels of the milestones above the consoles, and a line from each of them
// through the consoles.
func (p *painter) milestones() {
	labels, rows := place(p.labels())
	bottom := p.y + float64(rows)*row
	end := bottom + gap + float64(len(p.boot.Consoles))*lane
	for _, label := range labels {
		y := bottom - float64(label.row)*row
		p.line("lead", label.x, y-row+5, label.x, end)
		anchor, x := "start", label.x+5
		if label.before {
			anchor, x = "end", label.x-5
		}
		p.text("", anchor, label.text, x, y-4)
	}
	p.y = bottom + gap/2
}

// labels returns the labels of the milestones. Those of one place have one label.
func (p *painter) labels() []label {
	var labels []label
	for _, mark := range p.boot.milestones() {
		at := duration(mark.Time.Sub(p.boot.Start))
		text := cut(mark.Text+", "+at, (right-left)/2)
		if mark.Time.Equal(p.boot.Start) {
			text = mark.Text
		}
		labels = append(labels, label{x: p.x(mark.Time), text: text, width: wide(text)})
	}
	return labels
}

// consoles draws the output of each console over time.
func (p *painter) consoles() {
	for i, console := range p.boot.Consoles {
		bottom := p.y + lane - 4
		columns, total, peak := p.sums(console)
		var points []point
		for j, bytes := range columns {
			x, y := left+float64(j)*p.step(), bottom-(lane-10)*math.Sqrt(bytes/max(1, peak))
			points = append(points, point{x, y}, point{x + p.step(), y})
		}
		p.area(fmt.Sprintf("area%d", i%3), points, bottom)
		p.line("grid", left, bottom, right, bottom)
		p.text("strong", "start", cut(console.Name, left-margin-gap), margin, bottom-22)
		p.text("dim", "start", cut(size(total), left-margin-gap), margin, bottom-6)
		p.y += lane
	}
}

// step returns the width of a column of the output.
func (p *painter) step() float64 { return (right - left) / columns }

// sums returns how many bytes of a console each column has, those of all, which the picture may
// not show, and of the column with the most.
func (p *painter) sums(console Console) (sums []float64, total int64, peak float64) {
	sums = make([]float64, columns)
	for _, output := range console.Output {
		total += output.Bytes
		at := output.Time.Sub(p.boot.Start)
		if at <= p.shown {
			i := int(at.Seconds() / p.shown.Seconds() * columns)
			sums[min(columns-1, max(0, i))] += float64(output.Bytes)
		}
	}
	return sums, total, slices.Max(sums)
}

// axis draws the times, below the consoles that begin at top.
func (p *painter) axis(top float64) {
	step := tick(p.shown)
	for at := time.Duration(0); at <= p.shown; at += step {
		x := p.x(p.boot.Start.Add(at))
		p.line("grid", x, top+gap/2, x, p.y+2)
		p.text("dim", "middle", axisTime(at, step), min(x, right-10), p.y+16)
	}
	p.y += 16 + gap
	if rest := p.boot.End.Sub(p.boot.Start) - p.shown; rest > 0 {
		p.text("dim", "end", "the VM continues for "+duration(rest), right, p.y+6)
		p.y += row
	}
}

// events draws a mark and the text of each event of the kernel.
func (p *painter) events(top float64) {
	for i, event := range p.boot.Events {
		if i == maxEvents {
			p.text("dim", "start", fmt.Sprintf("and %d more events", len(p.boot.Events)-maxEvents), margin, p.y+10)
			p.y += row
			break
		}
		class := "note"
		if event.Fails {
			class = "bad"
		}
		x := p.x(event.Time)
		p.line(class+"line", x, top, x, p.y+4)
		fmt.Fprintf(&p.body, "<circle class=\"%s\" fill=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>\n", class, neutral, x, p.y+6)
		p.beside(class, event.Text, event.Time.Sub(p.boot.Start), x-8, x+8)
	}
	if len(p.boot.Events) > 0 {
		p.y += gap / 2
	}
}

// beside draws a text with a time after, before or over the interval from one x to another, at
// the first of these places that has room, or that with the most, and begins the next line.
func (p *painter) beside(class, text string, at time.Duration, from, to float64) {
	suffix := ", " + duration(at)
	places := []struct {
		class, anchor string
		x, room       float64
	}{
		{class, "start", to, right - to},
		{class, "end", from, from - margin},
		{"over", "start", from + 10, to - from - 20},
	}
	best := places[0]
	for _, place := range places[1:] {
		if wide(text+suffix) > best.room && place.room > best.room {
			best = place
		}
	}
	p.text(best.class, best.anchor, cut(text, best.room-wide(suffix))+suffix, best.x, p.y+10)
	p.y += row
}

// checks draws a bar and the name of each check. If there are too many, those that failed come
// before others.
func (p *painter) checks() {
	checks := p.boot.Checks
	if len(checks) > maxChecks {
		checks = slices.Clone(checks)
		slices.SortStableFunc(checks, func(one, other Check) int {
			switch {
			case one.Passed == other.Passed:
				return 0
			case other.Passed:
				return -1
			}
			return 1
		})
		checks = checks[:maxChecks]
		slices.SortStableFunc(checks, func(one, other Check) int { return one.From.Compare(other.From) })
	}
	for _, check := range checks {
		class, text := "good", check.Name
		if !check.Passed {
			class, text = "bad", "failed: "+check.Name
		}
		from, to := p.x(check.From), p.x(check.To)
		took := check.To.Sub(check.From)
		p.box(class, check.Name+", "+duration(took), from, p.y, max(2, to-from), row-5)
		textClass := ""
		if !check.Passed {
			textClass = "bad"
		}
		p.beside(textClass, text, took, from-5, max(from+2, to)+5)
	}
	if more := len(p.boot.Checks) - len(checks); more > 0 {
		p.text("dim", "start", fmt.Sprintf("and %d more checks", more), margin, p.y+10)
		p.y += row
	}
}

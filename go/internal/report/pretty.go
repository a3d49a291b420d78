package report

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"microvm-console/internal/color"
	"microvm-console/internal/plaintext"
)

// Pretty writes results for people, one line each, as they come. Note may be called at any
// time, the other methods by one goroutine.
type Pretty struct {
	W       io.Writer
	Palette color.Palette
	// Columns is the width of W if W is a terminal: a check is then shown while it runs,
	// with the time that it has taken. If it is 0, only results are written. It is 0 if there is a
	// Prefix.
	Columns int
	// Prefix precedes each line.
	Prefix string
	// Hide reports whether a result is not written. If it is nil, all are.
	Hide func(Result) bool

	mu  sync.Mutex // held while W is written to
	end func()     // ends the line of the check that runs; nil if there is none
}

// Progress writes one result, or, if done is false, shows that the check runs. The caller
// calls it with done for each check that runs, or calls Close.
func (p *Pretty) Progress(result Result, done bool) {
	p.endLive()
	switch {
	case !done && p.Columns > 0:
		p.showLive(plaintext.Line(result.Name))
	case result.Test && result.Err == nil && result.NotRun == "": // its check has the number
	case done && (p.Hide == nil || !p.Hide(result)):
		p.write(p.line(result))
	}
}

// line returns the line of a result, and below it why it has failed.
func (p *Pretty) line(result Result) string {
	name := plaintext.Line(result.Name)
	switch {
	case result.Skipped != "":
		return fmt.Sprintf("%s            %s (%s)\n", p.Palette.Yellow("skip"), name, plaintext.Line(result.Skipped))
	case result.NotRun != "":
		return fmt.Sprintf("%s         %s (%s)\n", p.Palette.Yellow("not run"), name, plaintext.Line(result.NotRun))
	case result.Err == nil:
		if result.Summary != "" {
			name += " (" + plaintext.Line(result.Summary) + ")"
		}
		return fmt.Sprintf("%s %7.2f s  %s\n", p.Palette.Green("ok  "), result.Duration.Seconds(), name)
	}
	why := strings.ReplaceAll(plaintext.Lines(result.Err.Error()), "\n", "\n                ")
	return fmt.Sprintf("%s %7.2f s  %s\n                %s\n", p.Palette.Red("FAIL"), result.Duration.Seconds(), name, why)
}

// Close writes the last line of a run: its counts and its duration.
func (p *Pretty) Close(run Run) {
	p.endLive()
	p.write(fmt.Sprintf("%s in %.1f s\n", run.Count().text(p.Palette), run.Duration.Seconds()))
}

// Begin writes the first line of a run, if there are several.
func (p *Pretty) Begin(report Report, machine string, number int) {
	if !report.Several() {
		return
	}
	of := ""
	if report.Repeat > 1 {
		of = fmt.Sprintf(" of %d", report.Repeat)
	}
	p.write(report.Title(machine, number) + of + "\n")
}

// Note writes a line that is not a result, above the check that runs.
func (p *Pretty) Note(line string) { p.write(line + "\n") }

// Statistics writes the statistics of several runs.
func (p *Pretty) Statistics(report Report) error { return report.writeStatistics(p.W) }

// erase empties the line that shows a check while it runs (ECMA-48, EL).
const erase = "\r\x1b[K"

// write writes whole lines. On a terminal they replace the line of the check that runs.
func (p *Pretty) write(lines string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Prefix != "" && lines != "" {
		lines = p.Prefix + strings.ReplaceAll(strings.TrimSuffix(lines, "\n"), "\n", "\n"+p.Prefix) + "\n"
	}
	if p.Columns > 0 {
		lines = erase + lines
	}
	_, _ = io.WriteString(p.W, lines) // nothing can report it
}

// liveEvery is how often the line of the check that runs is written.
const liveEvery = 200 * time.Millisecond

// showLive writes the line of a check that runs, again and again, until endLive is called.
func (p *Pretty) showLive(name string) {
	began, stop, stopped := time.Now(), make(chan struct{}), make(chan struct{})
	p.end = func() {
		close(stop)
		<-stopped
		p.write("")
	}
	go func() {
		defer close(stopped)
		ticks := time.NewTicker(liveEvery)
		defer ticks.Stop()
		for {
			line := []rune(fmt.Sprintf("...  %7.1f s  %s", time.Since(began).Seconds(), name))
			p.write(string(line[:min(len(line), p.Columns-1)])) // a line that wraps could not be erased
			select {
			case <-ticks.C:
			case <-stop:
				return
			}
		}
	}()
}

// endLive erases the line of the check that runs, if there is one.
func (p *Pretty) endLive() {
	if p.end != nil {
		p.end()
		p.end = nil
	}
}

// writeText writes what Pretty writes, and after each run that has not passed its details.
func (r Report) writeText(w io.Writer) error {
	var text strings.Builder
	pretty := Pretty{W: &text}
	for _, run := range r.Runs {
		pretty.Begin(r, run.Machine, run.Number)
		for _, result := range run.Results {
			pretty.Progress(result, true)
		}
		for _, line := range run.notes() {
			pretty.Note(run.VM + ": " + line)
		}
		pretty.Close(run)
		if !run.Passed() {
			_ = run.WriteDetails(&text) // to a string
		}
	}
	if r.Several() {
		_ = pretty.Statistics(r) // to a string
	}
	_, err := io.WriteString(w, text.String())
	return err
}

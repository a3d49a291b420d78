package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/display"
	"microvm-console/internal/journal"
	"microvm-console/internal/kevent"
	"microvm-console/internal/logs"
	"microvm-console/internal/plaintext"
)

// listFileEvents prints the events of the log in a file.
func listFileEvents(c *cli.Context, path string) error {
	list := newEventList(c.App.Writer, c.Bool("json"), 0)
	scanner := kevent.NewScanner(0)
	err := readLog(path, func(data []byte) { list.add(scanner.Feed(data)) })
	list.add(scanner.Close())
	if err == nil && !scanner.HasKernel() {
		fmt.Fprintf(c.App.ErrWriter, "%s: %v\n", c.App.Name, noKernel(path))
	}
	return errors.Join(list.close(), err)
}

// listBootEvents prints the events of the boot that the options select.
func listBootEvents(c *cli.Context, o options, log logs.Log) error {
	boot, err := bootOf(log, o.boot)
	if err != nil {
		return err
	}
	list := newEventList(c.App.Writer, c.Bool("json"), boot.boot.Number)
	scanner := kevent.NewScanner(boot.boot.Start)
	err = boot.snapshot.Walk(boot.boot.Start, boot.boot.End,
		func(data []byte) { list.add(scanner.Feed(data)) },
		func(gone error) {
			skipped, _, _ := journal.Gone(gone)
			list.add(scanner.Skip(skipped))
		})
	list.add(scanner.Close())
	if err != nil {
		err = fmt.Errorf("%s: %w", log, err)
	}
	return errors.Join(list.close(), err)
}

// eventList prints events: each at once as an object in a line, or all of them as a table.
type eventList struct {
	out     io.Writer
	objects bool
	boot    int
	events  []kevent.Event // for the table
	err     error
}

func newEventList(out io.Writer, objects bool, boot int) *eventList {
	return &eventList{out: out, objects: objects, boot: boot}
}

func (l *eventList) add(events []kevent.Event) {
	for _, e := range events {
		e.Boot = l.boot
		switch {
		case !l.objects:
			l.events = append(l.events, e)
		case l.err == nil:
			l.err = display.JSON(l.out, e)
		}
	}
}

// close prints the table. It returns the first error of the output.
func (l *eventList) close() error {
	if len(l.events) == 0 {
		return l.err
	}
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "TIME\tOFFSET\tKIND\tEVENT\n")
	for _, e := range l.events {
		at := "-"
		if e.Time != nil {
			at = strconv.FormatFloat(*e.Time, 'f', 6, 64)
		}
		title := e.Title
		if e.Function != "" { // first, as in a verdict: a terminal may cut the line
			title = "in " + e.Function + ": " + title
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\n", at, e.Begin, e.Kind, plaintext.Line(title))
	}
	_ = table.Flush() // writes to a Buffer never fail
	_, err := io.WriteString(l.out, display.ScreenOf(l.out).Cut(text.String()))
	return err
}

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
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
	list := eventList{json: c.Bool("json")}
	scanner := kevent.NewScanner(0)
	err := readLog(path, func(data []byte) { list.addAll(scanner.Feed(data)) })
	list.addAll(scanner.Close())
	return errors.Join(list.flush(c.App.Writer), err)
}

// listBootEvents prints the events of the boot that the options select.
func listBootEvents(c *cli.Context, o options, log logs.Log) error {
	boot, err := bootOf(log, o.boot)
	if err != nil {
		return err
	}
	list := eventList{json: c.Bool("json"), boot: boot.boot.Number}
	scanner := kevent.NewScanner(boot.boot.Start)
	err = boot.snapshot.Walk(boot.boot.Start, boot.boot.End,
		func(data []byte) { list.addAll(scanner.Feed(data)) },
		func(gone error) {
			skipped, _, _ := journal.Gone(gone)
			list.addAll(scanner.Skip(skipped))
		})
	list.addAll(scanner.Close())
	if err != nil {
		err = fmt.Errorf("%s: %w", log, err)
	}
	return errors.Join(list.flush(c.App.Writer), err)
}

// eventList collects events for output.
type eventList struct {
	json   bool
	boot   int
	events []kevent.Event
}

func (l *eventList) addAll(events []kevent.Event) {
	for _, e := range events {
		e.Boot = l.boot
		l.events = append(l.events, e)
	}
}

// flush prints the events: as one object per line, or as a table.
func (l *eventList) flush(w io.Writer) error {
	if l.json {
		encoder := json.NewEncoder(w)
		for _, e := range l.events {
			if err := encoder.Encode(e); err != nil {
				return err
			}
		}
		return nil
	}
	if len(l.events) == 0 {
		return nil
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
		if e.Function != "" && !strings.Contains(title, e.Function) {
			title += " (" + e.Function + ")"
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\n", at, e.Begin, e.Kind, plaintext.Line(title))
	}
	_ = table.Flush() // writes to a Buffer never fail
	_, err := io.WriteString(w, display.ScreenOf(w).Cut(text.String()))
	return err
}

package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"microvm-console/internal/display"
	"microvm-console/internal/guest"
	"microvm-console/internal/journal"
	"microvm-console/internal/logs"
	"microvm-console/internal/plaintext"
)

// bootLine is one boot in the output of --list --json.
type bootLine struct {
	Boot     int               `json:"boot"`   // the value for --boot
	Number   int               `json:"number"` // counts all boots, from 1
	Started  time.Time         `json:"started,omitzero"`
	Ready    time.Time         `json:"ready,omitzero"` // when the guest was ready for the first time
	ReadyBy  string            `json:"readyBy,omitempty"`
	Ended    time.Time         `json:"ended,omitzero"`
	Seconds  float64           `json:"seconds,omitzero"`
	Start    int64             `json:"start"` // offset of the first byte
	End      int64             `json:"end"`   // offset after the last byte
	How      string            `json:"how"`   // how the boot ended
	Restarts []journal.Restart `json:"restarts,omitempty"`
}

// list prints the boots of a log, oldest first.
func list(w io.Writer, log logs.Log, snapshot *journal.Snapshot, asJSON bool) error {
	boots := snapshot.Boots()
	lines := make([]bootLine, len(boots))
	for i, boot := range boots {
		newest := i == len(boots)-1
		running := newest && boot.Ended.IsZero() && snapshot.Written()
		ended := cmp.Or(boot.Ended, boot.Last)
		if running {
			ended = time.Now()
		}
		line := bootLine{
			Boot: i - len(boots) + 1, Number: boot.Number, Started: boot.Started, Ready: boot.Ready, ReadyBy: boot.ReadyBy, Ended: boot.Ended,
			Start: boot.Start, End: boot.End, How: log.How(boot, running), Restarts: restartsOf(boot),
		}
		if !boot.Started.IsZero() && !ended.IsZero() {
			line.Seconds = max(0, ended.Sub(boot.Started).Seconds())
		}
		lines[i] = line
	}
	if asJSON {
		return printJSON(w, lines)
	}
	return printTable(w, lines)
}

// restartsOf returns the restarts of the guest in a boot. The restart by which a panic ended QEMU
// (-no-reboot) is not one of them: the guest has printed nothing after it.
func restartsOf(boot journal.Boot) []journal.Restart {
	all := boot.Restarts
	if last := len(all) - 1; last >= 0 && all[last].Offset == boot.End && strings.HasPrefix(boot.How, string(guest.Panicked)) {
		return all[:last]
	}
	return all
}

func printJSON(w io.Writer, lines []bootLine) error {
	for _, line := range lines {
		if err := display.JSON(w, line); err != nil {
			return err
		}
	}
	return nil
}

// printTable prints one line for each boot, and below it one for each restart of its guest.
func printTable(w io.Writer, lines []bootLine) error {
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "--BOOT\tBOOT\tSTARTED\tTIME\tBYTES\tEND\n")
	for _, line := range lines {
		fmt.Fprintf(table, "%d\t%d\t%s\t%s\t%d\t%s\n", line.Boot, line.Number,
			date(line.Started), duration(line.Seconds), line.End-line.Start, plaintext.Line(line.How))
		for _, restart := range line.Restarts {
			fmt.Fprintf(table, "\t\t  %s\t\t\tthe guest restarted, after %s and %d bytes\n",
				restart.Time.Local().Format(time.TimeOnly), duration(restart.Time.Sub(line.Started).Seconds()), restart.Offset-line.Start)
		}
	}
	_ = table.Flush()                                                   // writes to a Buffer never fail
	_, err := io.WriteString(w, display.ScreenOf(w).Cut(text.String())) // a pipe and --json have whole lines
	return err
}

func date(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateTime)
}

// duration returns seconds for display, to a tenth below a minute. 0 means unknown.
func duration(seconds float64) string {
	switch {
	case seconds == 0:
		return "-"
	case seconds < 60:
		return fmt.Sprintf("%.1fs", seconds)
	}
	return time.Duration(seconds * float64(time.Second)).Round(time.Second).String()
}

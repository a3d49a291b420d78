package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/journal"
	"microvm-console/internal/logs"
	"microvm-console/internal/verdict"
)

// kernelContradiction is contradiction for the flags of events and of a verdict.
func kernelContradiction(c *cli.Context, o options) error {
	events, judged := c.Bool("events"), c.Bool("verdict")
	switch {
	case events && judged:
		return errors.New("--events and --verdict: print different things (use one of them)")
	case !judged && (c.IsSet("warnings") || c.IsSet("allow")):
		return errors.New("--warnings and --allow: only for a verdict (add --verdict)")
	case events:
		return wholeContradiction(c, o, "--events")
	case judged:
		if !slices.Contains(verdict.Treatments(), verdict.Treatment(c.String("warnings"))) {
			return fmt.Errorf("invalid warnings %q: must be fail, note or ignore", c.String("warnings"))
		}
		return wholeContradiction(c, o, "--verdict")
	case c.IsSet("file") && !c.IsSet("decode"):
		return errors.New("--file: only for events, a verdict or source lines (add --events, --verdict or --decode)")
	}
	return nil
}

// wholeContradiction returns an error for the flags that a choice about a whole boot excludes.
func wholeContradiction(c *cli.Context, o options, choice string) error {
	for _, flag := range []string{"list", "follow", "since", "tail", "timestamps", "raw"} {
		if c.IsSet(flag) {
			return fmt.Errorf("%s: is on a whole boot (leave out --%s)", choice, flag)
		}
	}
	return ownLog(c, o)
}

// ownLog returns an error for the flags that the log of --file excludes.
func ownLog(c *cli.Context, o options) error {
	if c.IsSet("file") && (c.IsSet("name") || c.IsSet("channel") || o.oneBoot || o.place.Console != "") {
		return errors.New("--file: is a log of its own (leave out --name, --channel, --boot and the console)")
	}
	return nil
}

// rules returns the rules that the flags choose.
func rules(c *cli.Context) (verdict.Rules, error) {
	rules := verdict.Rules{Warnings: verdict.Treatment(c.String("warnings"))}
	if !c.IsSet("allow") {
		return rules, nil
	}
	var err error
	if rules.Allow, err = verdict.ReadAllowances(c.String("allow")); err != nil {
		return rules, cmdline.Status(cmdline.StatusUsage, fmt.Errorf("allow: %w", err))
	}
	return rules, nil
}

// judgeFile prints the verdict on the log in a file; "-" is standard input.
func judgeFile(c *cli.Context, path string) error {
	rules, err := rules(c)
	if err != nil {
		return err
	}
	in, err := openLog(path)
	if err != nil {
		return err
	}
	defer in.Close()
	judge := verdict.New(rules, "")
	chunk := make([]byte, 64<<10)
	for {
		n, err := in.Read(chunk)
		judge.Feed(0, chunk[:n])
		if errors.Is(err, io.EOF) {
			return printVerdict(c, judge.Result())
		}
		if err != nil {
			return fmt.Errorf("file: %w", err)
		}
	}
}

// judgeBoot prints the verdict on the boot that the options select, in a log or, if no console is
// given, in those of all consoles of its VM.
func judgeBoot(c *cli.Context, o options, log logs.Log) error {
	rules, err := rules(c)
	if err != nil {
		return err
	}
	first, err := bootOf(log, o.boot)
	if err != nil {
		return err
	}
	parts := []part{first}
	if o.place.Console == "" && log.Machine != "" {
		if parts, err = withOthers(first); err != nil {
			return err
		}
	}
	var names []string
	for _, p := range parts {
		names = append(names, p.log.Name)
	}
	judge := verdict.New(rules, names...)
	for i, p := range parts {
		if err := p.feed(judge, i); err != nil {
			return fmt.Errorf("%s: %w", p.log, err)
		}
	}
	return printVerdict(c, judge.Result())
}

// part is a boot in a log.
type part struct {
	log      logs.Log
	snapshot *journal.Snapshot
	boot     journal.Boot
}

func bootOf(log logs.Log, back int) (part, error) {
	snapshot, err := log.Snapshot()
	if err != nil {
		return part{}, err
	}
	boot, err := snapshot.Boot(back)
	return part{log, snapshot, boot}, err
}

// sameStart bounds the time between the starts of a boot on the consoles of a VM.
const sameStart = 10 * time.Second

// withOthers returns the boot and the same boot on the other consoles of its VM.
func withOthers(first part) ([]part, error) {
	parts := []part{first}
	all, err := logs.OfMachine(first.log.Machine)
	if err != nil {
		return nil, err
	}
	for _, log := range all {
		if log == first.log {
			continue
		}
		snapshot, err := log.Snapshot()
		if err != nil {
			return nil, err
		}
		for _, boot := range snapshot.Boots() {
			if boot.Started.Sub(first.boot.Started).Abs() < sameStart && !boot.Started.IsZero() {
				parts = append(parts, part{log, snapshot, boot})
				break
			}
		}
	}
	return parts, nil
}

// feed passes the boot to the judge, as its console i. The beginning of the oldest boot may have been
// dropped.
func (p part) feed(judge *verdict.Judge, i int) error {
	judge.Start(i, p.boot.Start)
	if p.boot.Start > 0 && p.snapshot.Boots()[0].Number == p.boot.Number {
		judge.Gap(i, 0, -1, "the journal has only the newest output")
	}
	return p.snapshot.Walk(p.boot.Start, p.boot.End,
		func(data []byte) { judge.Feed(i, data) },
		func(err error) {
			skipped, printed, cause := journal.Gone(err)
			judge.Gap(i, skipped, printed, cause)
		})
}

// printVerdict prints a verdict, and returns the exit status.
func printVerdict(c *cli.Context, result verdict.Result) error {
	write := result.Write
	if c.Bool("json") {
		write = func(w io.Writer) error { return json.NewEncoder(w).Encode(result) }
	}
	err := write(c.App.Writer)
	if err != nil || result.Verdict == verdict.Clean {
		return err
	}
	return cmdline.Quiet(cmdline.StatusFailed)
}

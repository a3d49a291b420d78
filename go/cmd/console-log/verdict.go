package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/display"
	"microvm-console/internal/journal"
	"microvm-console/internal/logs"
	"microvm-console/internal/verdict"
	"microvm-console/internal/vmconfig"
)

// rules returns the rules that the flags choose.
func rules(c *cli.Context) (verdict.Rules, error) {
	rules := verdict.Rules{Warnings: verdict.Treatment(c.String("warnings"))}
	switch c.String("allow") {
	case "":
		return rules, nil
	case "-":
		return rules, cmdline.Usage("allow: - is not a file (use /dev/stdin for standard input)")
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
	judge := verdict.New(rules, "")
	if err := readLog(path, func(data []byte) { judge.Feed(0, data) }); err != nil {
		return err
	}
	result := judge.Result()
	if !judge.HasKernel() {
		return noKernel(path)
	}
	return printVerdict(c, result)
}

// judgeBoot prints the verdict on the boot that the options select.
func judgeBoot(c *cli.Context, o options, log logs.Log) error {
	rules, err := rules(c)
	if err != nil {
		return err
	}
	parts, err := partsOf(o, log)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(parts, func(p part) bool { return p.boot.End > p.boot.Start }) {
		return fmt.Errorf("%s: boot %d has printed nothing (--list shows how it ended)", log, parts[0].boot.Number)
	}
	result, err := judge(rules, parts)
	if err != nil {
		return err
	}
	return printVerdict(c, result)
}

// judge returns the verdict on a boot.
func judge(rules verdict.Rules, parts []part) (verdict.Result, error) {
	var labels []string
	for _, p := range parts {
		labels = append(labels, p.log.Label())
	}
	judge := verdict.New(rules, labels...)
	for i, p := range parts {
		if err := p.feed(judge, i); err != nil {
			return verdict.Result{}, fmt.Errorf("%s: %w", p.log, err)
		}
	}
	return judge.Result(), nil
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

// partsOf returns the boot that the options select, in a log or, if no console is given, in those
// of all consoles of its VM.
func partsOf(o options, log logs.Log) ([]part, error) {
	first, err := bootOf(log, o.boot)
	if err != nil || o.place.Console != "" || log.Machine == "" {
		return []part{first}, err
	}
	return withOthers(first, o.consoles)
}

// sameStart bounds the time between the starts of a boot on the consoles of a VM.
const sameStart = 10 * time.Second

// withOthers returns the boot and the same boot on the other consoles of its VM. consoles are those of
// the VM; nil if they are unknown.
func withOthers(first part, consoles []vmconfig.Console) ([]part, error) {
	parts := []part{first}
	all, err := logs.OfMachine(first.log.Machine, consoles)
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
		if boot, found := sameBoot(first.boot, snapshot.Boots()); found {
			parts = append(parts, part{log, snapshot, boot})
		}
	}
	return parts, nil
}

// sameBoot returns the boot of another console that is the given one. Each journal counts its own boots,
// so only their times identify them: the boots of a VM do not overlap, and those of its consoles begin
// within moments. A boot whose writer was killed has no end.
func sameBoot(boot journal.Boot, others []journal.Boot) (same journal.Boot, found bool) {
	over := func(b, other journal.Boot) bool { return !b.Ended.IsZero() && b.Ended.Before(other.Started) }
	nearest := sameStart
	for _, other := range others {
		apart := other.Started.Sub(boot.Started).Abs()
		if !other.Started.IsZero() && apart < nearest && !over(boot, other) && !over(other, boot) {
			same, nearest, found = other, apart, true
		}
	}
	return same, found
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
		write = func(w io.Writer) error { return display.JSON(w, result) }
	}
	err := write(c.App.Writer)
	if err != nil || result.Verdict == verdict.Clean {
		return err
	}
	return cmdline.Quiet(cmdline.StatusFailed)
}

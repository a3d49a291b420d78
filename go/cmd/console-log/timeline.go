package main

import (
	"cmp"
	"fmt"
	"io"

	"microvm-console/internal/logs"
	"microvm-console/internal/timeline"
	"microvm-console/internal/verdict"
)

// drawBoot prints a picture of the boot that the options select.
func drawBoot(w io.Writer, o options, log logs.Log) error {
	parts, err := partsOf(o, log)
	if err != nil {
		return err
	}
	kernel, err := judge(verdict.Rules{Warnings: verdict.Note}, parts)
	if err != nil {
		return err
	}
	var sources []timeline.Source
	for _, p := range parts {
		sources = append(sources, timeline.Source{Name: p.log.Label(), Snapshot: p.snapshot, Boot: p.boot})
	}
	boot, err := timeline.Read(sources, kernel)
	if err != nil {
		return err
	}
	first := parts[0]
	boot.Title = fmt.Sprintf("%s, boot %d", cmp.Or(log.Machine, log.Name), first.boot.Number)
	newest := first.boot.End == first.snapshot.End()
	boot.Ended = log.How(first.boot, newest && first.boot.Ended.IsZero() && first.snapshot.Written())
	return timeline.Write(w, boot)
}

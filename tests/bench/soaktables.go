package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// table returns the results as Markdown; met reports whether all targets are met.
func (s *soak) table(m map[string]string) (text string, met bool) {
	var b strings.Builder
	fmt.Fprintf(&b, "\n`%s`, %s, %s s. %s, %s, %s; %s; %s; load before %s, after %s.\n\n",
		m["command"], m["date"], m["seconds"], m["processor"], m["memory"], m["system"], m["kernel"], m["qemu-relay"], m["load"],
		strings.Fields(read("/proc/loadavg"))[0])
	for _, what := range slices.Sorted(maps.Keys(s.count)) {
		fmt.Fprintf(&b, "- %s: %d\n", what, s.count[what])
	}
	fmt.Fprintf(&b, "- clients in storms: %d, of which %d could not connect; they read %.1f GB\n",
		s.storms.clients.Load(), s.storms.refused.Load(), float64(s.storms.bytes.Load())/1e9)
	fmt.Fprintf(&b, "- journals: at most %d MiB while the disk of %s was not full, %d MiB at the end\n\n", s.used[0]>>20, soakDisk, s.used[1]>>20)
	flat := s.usage(&b)
	whole := s.tallies(&b)
	return b.String(), flat && whole
}

// usage writes the table of resource usage.
func (s *soak) usage(b *strings.Builder) (met bool) {
	b.WriteString("| | processes | memory, MiB: second and last quarter of the run | of the life of the worst process | descriptors at the first quiet moment | largest change later | |\n|---|---|---|---|---|---|---|\n")
	met = true
	for _, d := range s.daemons() {
		all := memoryBetween(d.lives, s.begin, time.Now())
		one, long := d.worstLife()
		first, more := d.descriptors()
		worst := fmt.Sprintf("%.1f, %.1f", one.second, one.last)
		if long == 0 {
			worst = "no process ran for 10 minutes"
		}
		flat := all.flat() && one.flat() && more == 0
		met = met && flat
		fmt.Fprintf(b, "| %s | %d | %.1f, %.1f | %s | %s | ±%d | %s |\n", d.role, len(d.lives), all.second, all.last, worst,
			strings.Trim(strings.ReplaceAll(fmt.Sprint(first), " ", ", "), "[]"), more, verdict(flat))
	}
	return met
}

// tallies writes the table of what was read.
func (s *soak) tallies(b *strings.Builder) (met bool) {
	b.WriteString("\n| | boots | MB read | records | lost bytes, counted | records in gaps | missing | repeated | |\n|---|---|---|---|---|---|---|---|---|\n")
	met = len(s.faults) == 0 && s.storms.repeated.Load() == 0
	for _, stream := range s.streams {
		t := stream.sum()
		whole := t.missing == 0 && t.repeated == 0 && t.records > 0 && (s.count[fullDisks] == 0 || t.lost > 0)
		met = met && whole
		fmt.Fprintf(b, "| %s | %d | %.1f | %d | %d | %d | %d | %d | %s |\n",
			stream.name, t.boots, float64(t.bytes)/1e6, t.records, t.lost, t.hit, t.missing, t.repeated, verdict(whole))
	}
	fmt.Fprintf(b, "\nClients in storms: repeated %d. Other faults: %d.\n", s.storms.repeated.Load(), len(s.faults))
	for _, fault := range s.faults {
		fmt.Fprintf(b, "- %s\n", fault)
	}
	b.WriteString("\n")
	return met
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "**missed**"
}

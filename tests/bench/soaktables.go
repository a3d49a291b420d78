package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// table is the results as Markdown; met reports whether all bars are.
func (s *soak) table(m map[string]string) (text string, met bool) {
	var b strings.Builder
	fmt.Fprintf(&b, "\n`%s`, %s, %s s. %s, %s, %s; %s; %s; load before %s, after %s.\n\n",
		m["command"], m["date"], m["seconds"], m["processor"], m["memory"], m["system"], m["kernel"], m["qemu-relay"], m["load"],
		strings.Fields(read("/proc/loadavg"))[0])
	for _, what := range slices.Sorted(maps.Keys(s.count)) {
		fmt.Fprintf(&b, "- %s: %d\n", what, s.count[what])
	}
	fmt.Fprintf(&b, "- clients in storms: %d, %d of them came while there was nothing to connect to; they read %.1f GB\n",
		s.storms.clients.Load(), s.storms.refused.Load(), float64(s.storms.bytes.Load())/1e9)
	fmt.Fprintf(&b, "- journals: %d MiB at most while the disk of %s was not full, %d MiB at the end\n\n", s.used[0]>>20, soakDisk, s.used[1]>>20)
	flat := s.usage(&b)
	whole := s.tallies(&b)
	return b.String(), flat && whole
}

// usage is the table of what the processes use.
func (s *soak) usage(b *strings.Builder) (met bool) {
	b.WriteString("| | processes | memory, MiB: second and last quarter of the run | of one process's life, at worst | descriptors at the first quiet moment | and later, at most | |\n|---|---|---|---|---|---|---|\n")
	met = true
	for _, d := range s.daemons() {
		all := memoryBetween(d.lives, s.begin, time.Now())
		one, long := d.worstLife()
		first, more := d.descriptors()
		worst := fmt.Sprintf("%.1f, %.1f", one.second, one.last)
		if long == 0 {
			worst = "none was 10 minutes old"
		}
		flat := all.flat() && one.flat() && more == 0
		met = met && flat
		fmt.Fprintf(b, "| %s | %d | %.1f, %.1f | %s | %s | ±%d | %s |\n", d.role, len(d.lives), all.second, all.last, worst,
			strings.Trim(strings.ReplaceAll(fmt.Sprint(first), " ", ", "), "[]"), more, verdict(flat))
	}
	return met
}

// tallies is the table of what has come.
func (s *soak) tallies(b *strings.Builder) (met bool) {
	b.WriteString("\n| | boots | MB read | records | lost bytes, counted | records that these hit | missing | repeated | |\n|---|---|---|---|---|---|---|---|---|\n")
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

package main

import (
	"fmt"
	"math"
	"strings"
)

// bars writes the table of the targets of qemu-relay, and whether it meets them.
func (r *results) bars(text *strings.Builder) {
	text.WriteString("\n| target of qemu-relay | measured | |\n|---|---|---|\n")
	bar := func(wanted string, measured float64, format string, met bool) {
		verdict := "met"
		switch {
		case math.IsNaN(measured):
			return // not measured
		case !met:
			verdict = "**missed**"
		}
		fmt.Fprintf(text, "| %s | %s | %s |\n", wanted, fmt.Sprintf(format, measured), verdict)
	}
	one := r.ratio(oursUnix, "rate 1", limit, "rate 1").median
	bar("1 client: at least 0.5 of the limit (aim: 0.7)", one, "%.2f", one >= 0.5)
	for _, clients := range clientCounts[1:] {
		name := fmt.Sprintf("rate %d", clients)
		rival := r.best(name)
		for _, mine := range []string{oursUnix, oursTCP} {
			ratio := r.ratio(mine, name, rival, name).median
			bar(fmt.Sprintf("%d clients: at least the best rival (%s); %s", clients, rival, mine), ratio, "%.2f of it", ratio >= 1)
		}
	}
	for _, clients := range clientCounts {
		name := fmt.Sprintf("rate %d", clients)
		ratio := r.ratio(oursUnix, name, oldUnix, name).median
		bar(fmt.Sprintf("clients: %d: at least 0.9 of the older build", clients), ratio, "%.2f of it", ratio >= 0.9)
	}
	trip := r.ratio(oursUnix, "p50", "socat, Unix socket", "p50").median
	bar("round trip, p50: at most 1.3 times socat's", trip, "%.2f", trip <= 1.3)
	cpu := r.spread(oursUnix, "idle cpu").median
	bar("idle: no processor time", 100*cpu, "%.2f %%", cpu == 0)
	channel := r.spread(oursUnix, "channel pss").median / 1024
	bar("an idle channel: at most 150 KiB", channel, "%.1f KiB", channel <= 150)
	client := r.spread(oursUnix, "client pss").median / 1024
	bar("an idle client: at most 32 KiB", client, "%.1f KiB", client <= 32)
}

// best returns the name of the other program with the highest median of those that lost nothing.
func (r *results) best(name string) string {
	best, rate := "", 0.0
	for _, c := range candidates {
		median := r.spread(c.name, name).median
		lost := r.spread(c.name, "lost "+strings.TrimPrefix(name, "rate ")).most
		if c.start != nil && !c.ours && median > rate && lost == 0 {
			best, rate = c.name, median
		}
	}
	return best
}

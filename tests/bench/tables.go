package main

import (
	"fmt"
	"math"
	"strings"
)

// tables returns the results as Markdown.
func (r *results) tables() string {
	var text strings.Builder
	m := r.Machine
	fmt.Fprintf(&text, "\n`%s`, %s, %s rounds in turn, %s s. %s, %s, %s; %s, TCP %s; journal on %s; load before %s.\n",
		m["command"], m["date"], m["rounds"], m["seconds"], m["processor"], m["memory"], m["system"], m["kernel"], m["tcp"], m["journal"], m["load"])
	fmt.Fprintf(&text, "%s (%s), socat %s, ser2net %s, conserver %s.\n\n", m["qemu-relay"], m["go"], m["socat"], m["ser2net"], m["conserver"])
	text.WriteString("![The rate to every client as a share of the limit](relay.svg)\n\n")
	r.rates(&text)
	r.answers(&text)
	r.idles(&text)
	r.bars(&text)
	r.commands(&text)
	return text.String()
}

// rates writes the table of rates.
func (r *results) rates(text *strings.Builder) {
	text.WriteString("Bytes per second to every client, as a share of the limit in the same round: median (least-most). Below: MB/s.\n\n" +
		"| | 1 client | 10 clients | 100 clients | processor, s/GB, with 1 | 10 | 100 | bytes a client missed |\n|---|---|---|---|---|---|---|---|\n")
	r.rows(func(c candidate) string {
		var cells []string
		for _, clients := range clientCounts {
			name := fmt.Sprintf("rate %d", clients)
			share, rate := r.ratio(c.name, name, limit, name), r.spread(c.name, name)
			cells = append(cells, r.cell(c.name, name, fmt.Sprintf("%s<br>%.0f", show(share, "%.2f"), rate.median/1e6)))
		}
		lost := 0.0
		for _, clients := range clientCounts {
			name := fmt.Sprintf("cpu %d", clients)
			cells = append(cells, r.cell(c.name, name, fmt.Sprintf("%.2f", r.spread(c.name, name).median)))
			for _, value := range r.values(c.name, fmt.Sprintf("lost %d", clients)) {
				lost = max(lost, value)
			}
		}
		return strings.Join(append(cells, fmt.Sprintf("%.0f", lost)), " | ")
	}, text)
}

// answers writes the table of echoes, late clients and stalled clients.
func (r *results) answers(text *strings.Builder) {
	text.WriteString("\nThe time from a typed byte to its echo, in µs; the share that a client misses if it connects after half of a\n" +
		"stream that does not wait for it; the rate of a client beside one that does not read, as a share of its rate alone.\n\n" +
		"| | p50 | p99 | p50 / socat's | late client misses | beside a stalled one |\n|---|---|---|---|---|---|\n")
	r.rows(func(c candidate) string {
		ratio := r.ratio(c.name, "p50", "socat, Unix socket", "p50")
		beside := show(r.ratio(c.name, "stalled", c.name, "alone"), "%.2f")
		if lost := r.spread(c.name, "stalled lost"); lost.median > 0 {
			beside = fmt.Sprintf("freezes or loses bytes: %.1f MB missing", lost.median/1e6)
		}
		return strings.Join([]string{
			r.cell(c.name, "p50", show(r.spread(c.name, "p50"), "%.0f")),
			r.cell(c.name, "p99", show(r.spread(c.name, "p99"), "%.0f")),
			r.cell(c.name, "p50", show(ratio, "%.2f")),
			r.cell(c.name, "late", fmt.Sprintf("%.0f %%", 100*r.spread(c.name, "late").median)),
			r.cell(c.name, "stalled", beside),
		}, " | ")
	}, text)
}

// idles writes the table of resource usage without data.
func (r *results) idles(text *strings.Builder) {
	text.WriteString("\nWithout data: memory of each client and of each further channel, in KiB (Pss_Anon; VmRSS), processor time, and\n" +
		"wakeups of all threads. The kernel's buffers are not counted.\n\n" +
		"| | a client | a channel | processor | wakeups per second |\n|---|---|---|---|---|\n")
	r.rows(func(c candidate) string {
		kib := func(what string) string {
			pss, rss := r.spread(c.name, what+" pss"), r.spread(c.name, what+" rss")
			return r.cell(c.name, what+" pss", fmt.Sprintf("%.1f; %.1f", pss.median/1024, rss.median/1024))
		}
		return strings.Join([]string{
			kib("client"), kib("channel"),
			r.cell(c.name, "idle cpu", fmt.Sprintf("%.2f %%", 100*r.spread(c.name, "idle cpu").median)),
			r.cell(c.name, "idle wakeups", fmt.Sprintf("%.1f", r.spread(c.name, "idle wakeups").median)),
		}, " | ")
	}, text)
}

// commands writes the table of the candidates' commands.
func (r *results) commands(text *strings.Builder) {
	text.WriteString("\n| | is |\n|---|---|\n")
	r.rows(func(c candidate) string { return c.command }, text)
}

// rows writes a row for each candidate with results.
func (r *results) rows(cells func(candidate) string, text *strings.Builder) {
	for _, c := range candidates {
		for _, f := range r.Figures {
			if f.Candidate == c.name {
				fmt.Fprintf(text, "| %s | %s |\n", c.name, cells(c))
				break
			}
		}
	}
}

// cell returns text, or the error if the value is missing.
func (r *results) cell(candidate, name, text string) string {
	f := r.find(candidate, name)
	switch {
	case f == nil:
		return ""
	case f.Cannot != "":
		line, _, _ := strings.Cut(f.Cannot, "\n")
		return line
	}
	return text
}

// show returns a spread as text; format is that of each number.
func show(s spread, format string) string {
	if math.IsNaN(s.median) {
		return ""
	}
	if s.least == s.most {
		return fmt.Sprintf(format, s.median)
	}
	return fmt.Sprintf(format+" ("+format+"-"+format+")", s.median, s.least, s.most)
}

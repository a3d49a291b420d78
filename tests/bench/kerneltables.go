package main

import (
	"fmt"
	"path/filepath"
	"strings"
)

// tables returns the results as Markdown, with a column for each guest.
func (k *kernels) tables(guests []string) string {
	var text strings.Builder
	m, r := k.results.Machine, &k.results
	fmt.Fprintf(&text, "\n`%s`, %s, %s rounds in turn, %s s. %s; QEMU %s, %s; load before %s, after %s.\n\n",
		m["command"], m["date"], m["rounds"], m["seconds"], m["processor"], m["qemu"], m["accel"], m["load"], m["load after"])
	row := func(title string, cell func(guest string) string) {
		text.WriteString("| " + title + " |")
		for _, guest := range guests {
			text.WriteString(" " + cell(guest) + " |")
		}
		text.WriteString("\n")
	}
	row("", func(guest string) string { return guest })
	text.WriteString("|---|" + strings.Repeat("---|", len(guests)) + "\n")
	row("version", func(guest string) string { return m[guest] })
	for _, name := range []string{"kernel", "initrd"} {
		row(name+", KiB", func(guest string) string { return fmt.Sprintf("%.0f", r.spread(guest, name).median/1024) })
	}
	text.WriteString("\nSeconds: median (least-most), and the share of the stock kernel's time, built round by round.\n\n")
	row(" | ", func(guest string) string { return guest })
	text.WriteString("|---|---|" + strings.Repeat("---|", len(guests)) + "\n")
	for _, kind := range machineTypes {
		for _, name := range bootFigures {
			row(kind+" | "+name, func(guest string) string {
				is, was := guest+", "+kind, stock+", "+kind
				cell := show(r.spread(is, name), "%.2f")
				if guest != stock {
					cell += fmt.Sprintf("; %.2f", r.ratio(is, name, was, name).median)
				}
				return cell
			})
		}
	}
	return text.String()
}

// save writes the results and the tables.
func (k *kernels) save(dir string, guests []string) error {
	if err := k.results.write(filepath.Join(dir, "guest-kernel.json")); err != nil {
		return err
	}
	return insert(filepath.Join(dir, "guest-kernel.md"), "The guest kernels, measured", k.tables(guests))
}

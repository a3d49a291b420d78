package main

import (
	"fmt"
	"path/filepath"
	"strings"
)

// tables returns the results as Markdown.
func (k *kernels) tables() string {
	var text strings.Builder
	m, r := k.results.Machine, &k.results
	fmt.Fprintf(&text, "\n`%s`, %s, %s rounds in turn, %s s. %s; QEMU %s, %s; load before %s, after %s.\n\n",
		m["command"], m["date"], m["rounds"], m["seconds"], m["processor"], m["qemu"], m["accel"], m["load"], m["load after"])
	fmt.Fprintf(&text, "| | %s | %s | share of it |\n|---|---|---|---|\n", stock, minimal)
	fmt.Fprintf(&text, "| version | %s | %s | |\n", m[stock], m[minimal])
	for _, name := range []string{"kernel", "initrd"} {
		was, is := r.spread(stock, name).median, r.spread(minimal, name).median
		fmt.Fprintf(&text, "| %s, KiB | %.0f | %.0f | %.2f |\n", name, was/1024, is/1024, is/was)
	}
	text.WriteString("\nSeconds: median (least-most); the share is built round by round.\n\n")
	fmt.Fprintf(&text, "| | | %s | %s | share of it |\n|---|---|---|---|---|\n", stock, minimal)
	for _, kind := range machineTypes {
		was, is := stock+", "+kind, minimal+", "+kind
		for _, name := range bootFigures {
			fmt.Fprintf(&text, "| %s | %s | %s | %s | %.2f |\n", kind, name,
				show(r.spread(was, name), "%.2f"), show(r.spread(is, name), "%.2f"), r.ratio(is, name, was, name).median)
		}
	}
	return text.String()
}

// save writes the results and the tables.
func (k *kernels) save(dir string) error {
	if err := k.results.write(filepath.Join(dir, "guest-kernel.json")); err != nil {
		return err
	}
	return insert(filepath.Join(dir, "guest-kernel.md"), "The guest kernel, measured", k.tables())
}

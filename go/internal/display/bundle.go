package display

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"microvm-console/internal/ctl"
	"microvm-console/internal/plaintext"
)

// Bundle prints a crash bundle: its folder, its files, and what is missing.
func Bundle(w io.Writer, bundle ctl.CrashBundle) error {
	var text strings.Builder
	fmt.Fprintln(&text, plaintext.Line(bundle.Folder))
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, file := range bundle.Files {
		fmt.Fprintf(table, "  %s\t%d bytes\t%s\n", plaintext.Line(file.Name), file.Bytes, plaintext.Line(file.About))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, problem := range bundle.Problems {
		fmt.Fprintf(&text, "missing: %s\n", plaintext.Line(problem))
	}
	_, err := io.WriteString(w, text.String())
	return err
}

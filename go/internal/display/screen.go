package display

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"microvm-console/internal/color"
)

// Screen is what text is printed on. The zero Screen is not a terminal: lines have any length,
// and no colors.
type Screen struct {
	Columns int // 0: any number
	Palette color.Palette
}

// ScreenOf returns the Screen of what is written to w.
func ScreenOf(w io.Writer) Screen { return Screen{Width(w), color.Of(w)} }

// Cut returns text with each line that is wider than the screen cut, and an ellipsis at its
// end.
func (s Screen) Cut(text string) string {
	if s.Columns == 0 {
		return text
	}
	var out strings.Builder
	for line := range strings.Lines(text) {
		line, end := strings.CutSuffix(line, "\n")
		out.WriteString(cut(line, s.Columns))
		if end {
			out.WriteByte('\n')
		}
	}
	return out.String()
}

// cut returns text, or as much of it as fits in so many columns, with an ellipsis.
func cut(text string, columns int) string {
	if utf8.RuneCountInString(text) <= columns {
		return text
	}
	return string([]rune(text)[:max(0, columns-1)]) + "…"
}

// mostColumns is the width of sentences, even if the terminal is wider.
const mostColumns = 100

// wrap joins the words of a line, with line breaks so that it fits the screen. The lines after
// the first one are indented. A word that is too long, as a path, is not broken.
func (s Screen) wrap(words []string) string {
	if s.Columns == 0 {
		return strings.Join(words, " ")
	}
	const indent = "  "
	var out strings.Builder
	used := 0
	for i, word := range words {
		width := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case used+1+width > min(s.Columns, mostColumns):
			out.WriteString("\n" + indent)
			used = len(indent)
		default:
			out.WriteByte(' ')
			used++
		}
		out.WriteString(word)
		used += width
	}
	return out.String()
}

// printer prints what a control socket has answered: each string becomes printable characters,
// so that it cannot end a line or control the terminal.
type printer struct {
	screen Screen
	text   strings.Builder
}

// separate begins a new part of the text, after an empty line.
func (p *printer) separate() {
	if p.text.Len() > 0 {
		p.text.WriteByte('\n')
	}
}

// line prints a line, wrapped at the screen's width.
func (p *printer) line(format string, args ...any) {
	p.text.WriteString(p.wrapped(format, args...) + "\n")
}

// red is line in red.
func (p *printer) red(format string, args ...any) {
	p.text.WriteString(p.screen.Palette.Red(p.wrapped(format, args...)) + "\n")
}

// wrapped returns a line of printable characters, wrapped at the screen's width.
func (p *printer) wrapped(format string, args ...any) string {
	return p.screen.wrap(strings.Split(strings.Map(printable, fmt.Sprintf(format, args...)), " "))
}

// printable returns r, or a question mark for a character that is not printable.
func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return '?'
}

// cell is a cell of a table.
type cell struct {
	text  string
	paint func(string) string // nil: the text is not colored
}

// texts returns cells without colors.
func texts(all ...string) []cell {
	cells := make([]cell, len(all))
	for i, text := range all {
		cells[i].text = text
	}
	return cells
}

// columnGap separates the columns of a table.
const columnGap = "  "

// widths returns the width of each column.
func widths(rows [][]cell) []int {
	widths := make([]int, len(rows[0]))
	for _, cells := range rows {
		for i, cell := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell.text))
		}
	}
	return widths
}

// width returns the width of a table.
func width(rows [][]cell) int {
	all := -len(columnGap)
	for _, width := range widths(rows) {
		all += width + len(columnGap)
	}
	return all
}

// fits reports whether a table fits the screen.
func (p *printer) fits(rows [][]cell) bool {
	return p.screen.Columns == 0 || width(rows) <= p.screen.Columns
}

// shrink cuts the cells of one column so that the table fits the screen.
func (p *printer) shrink(rows [][]cell, column int) {
	if p.fits(rows) {
		return
	}
	const least = 8 // less could not be recognized
	columns := max(least, widths(rows)[column]-(width(rows)-p.screen.Columns))
	for _, cells := range rows {
		cells[column].text = cut(cells[column].text, columns)
	}
}

// table prints rows of as many cells each.
func (p *printer) table(rows [][]cell) {
	widths := widths(rows)
	for _, cells := range rows {
		for i, cell := range cells {
			text, padding := strings.Map(printable, cell.text), ""
			if i < len(cells)-1 {
				padding = strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text)) + columnGap
			}
			if cell.paint != nil {
				text = cell.paint(text)
			}
			p.text.WriteString(text + padding)
		}
		p.text.WriteByte('\n')
	}
}

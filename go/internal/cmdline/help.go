package cmdline

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
)

const (
	helpWidth    = 80 // columns
	helpIndent   = 2  // of a section
	helpTermMost = 24 // columns of a term that has its text in the same line
	helpExamples = 2  // examples in --help; the manual page has all
)

// setHelp gives app and its commands the help that is made of their pages.
func setHelp(app *cli.App) {
	whole := pageOf(app).spoken(app)
	app.CustomAppHelpTemplate = literal(whole.help())
	for i, command := range app.VisibleCommands() {
		command.CustomHelpTemplate = literal(whole.commands[i].help())
	}
}

// literal returns a template of package text/template that prints text.
func literal(text string) string { return "{{" + strconv.Quote(text) + "}}" }

// help returns the output of --help.
func (p page) help() string {
	var b strings.Builder
	for i, line := range p.synopsis {
		head := "Usage: "
		if i > 0 {
			head = "       "
		}
		b.WriteString(head + wrap(line, len(head)+4, len(head)) + "\n")
	}
	b.WriteString("\n" + wrap(sentence(p.usage), 0, 0) + "\n")
	for _, paragraph := range p.description {
		b.WriteString("\n" + fill(paragraph) + "\n")
	}
	var commands []Entry
	for _, command := range p.commands {
		commands = append(commands, Entry{strings.TrimPrefix(command.name, p.name+" "), command.usage})
	}
	section(&b, "Commands", commands)
	section(&b, "Options", p.options)
	section(&b, "Exit status", p.manual.Exit)
	if examples := p.manual.Examples; len(examples) > 0 {
		b.WriteString("\nExamples:\n")
		for _, example := range examples[:min(len(examples), helpExamples)] {
			fmt.Fprintf(&b, "  # %s\n  %s\n", example.Text, strings.ReplaceAll(example.Term, "\n", "\n  "))
		}
	}
	program, _, isCommand := strings.Cut(p.name, " ")
	if len(p.commands) > 0 && !isCommand {
		fmt.Fprintf(&b, "\nMore: %s COMMAND --help, man %s\n", program, program)
	} else {
		fmt.Fprintf(&b, "\nMore: man %s\n", program)
	}
	return b.String()
}

// sentence returns a program's usage as a sentence.
func sentence(usage string) string {
	if usage == "" {
		return ""
	}
	return strings.ToUpper(usage[:1]) + usage[1:] + "."
}

// section writes entries below a heading: the terms in one column, their texts in the next.
func section(b *strings.Builder, heading string, entries []Entry) {
	if len(entries) == 0 {
		return
	}
	column := 0
	for _, entry := range entries {
		if n := utf8.RuneCountInString(entry.Term); n <= helpTermMost {
			column = max(column, helpIndent+n+2)
		}
	}
	if column == 0 {
		column = helpIndent + helpTermMost
	}
	fmt.Fprintf(b, "\n%s:\n", heading)
	for _, entry := range entries {
		n := utf8.RuneCountInString(entry.Term)
		b.WriteString(strings.Repeat(" ", helpIndent) + entry.Term)
		if helpIndent+n+2 > column {
			b.WriteString("\n" + strings.Repeat(" ", column))
		} else {
			b.WriteString(strings.Repeat(" ", column-helpIndent-n))
		}
		b.WriteString(wrap(entry.Text, column, column) + "\n")
	}
}

// fill wraps a paragraph, unless it begins with a space.
func fill(paragraph string) string {
	if strings.HasPrefix(paragraph, " ") {
		return paragraph
	}
	return wrap(paragraph, 0, 0)
}

// wrap breaks text into lines of at most helpWidth columns. The first one begins at the
// column start, the others are indented.
func wrap(text string, indent, start int) string {
	var b strings.Builder
	column := start
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+n > helpWidth:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	return b.String()
}

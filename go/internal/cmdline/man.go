package cmdline

import (
	"fmt"
	"slices"
	"strings"
)

// man returns the manual page of a program, for man(7) macros. The order of its sections is
// that of man-pages(7).
func (p page) man(version string) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"microvm-console %s\" \"microvm-console\"\n", roffLine(strings.ToUpper(p.name)), roffLine(version))
	b.WriteString(".nh\n.ad l\n") // hyphens and spaces are only those of the text
	b.WriteString(".SH NAME\n" + roffLine(p.name) + ` \- ` + roffLine(p.usage) + "\n")
	b.WriteString(".SH SYNOPSIS\n")
	for i, line := range p.synopsis {
		if i > 0 {
			b.WriteString(".br\n")
		}
		b.WriteString(roffSynopsis(p.name, line) + "\n")
	}
	b.WriteString(".SH DESCRIPTION\n")
	if len(p.description) == 0 {
		b.WriteString(roffText(sentence(p.usage)) + "\n")
	}
	roffParagraphs(&b, p.description)
	roffSection(&b, "OPTIONS", p.options)
	if len(p.commands) > 0 {
		b.WriteString(".SH COMMANDS\n")
	}
	for _, command := range p.commands {
		b.WriteString(".SS " + roffLine(strings.TrimPrefix(command.name, p.name+" ")) + "\n")
		b.WriteString(roffSynopsis(command.name, command.synopsis[0]) + "\n.PP\n" + roffText(sentence(command.usage)) + "\n")
		if len(command.description) > 0 {
			b.WriteString(".PP\n")
		}
		roffParagraphs(&b, command.description)
		roffEntries(&b, slices.DeleteFunc(command.options, isHelp))
	}
	roffSection(&b, "EXIT STATUS", p.manual.Exit)
	roffSection(&b, "FILES", p.manual.Files)
	if len(p.manual.Examples) > 0 {
		b.WriteString(".SH EXAMPLES\n")
	}
	for i, example := range p.manual.Examples {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		b.WriteString(roffText(example.Text) + ":\n.PP\n.RS 4\n.nf\n" + roffText(example.Term) + "\n.fi\n.RE\n")
	}
	if len(p.manual.SeeAlso) > 0 {
		b.WriteString(".SH SEE ALSO\n" + roffText(strings.Join(p.manual.SeeAlso, ", ")) + "\n")
	}
	return b.String()
}

// isHelp reports whether an entry is the flag --help, which every command has.
func isHelp(e Entry) bool { return strings.HasPrefix(e.Term, "--help") }

// roffSection writes entries below a heading.
func roffSection(b *strings.Builder, heading string, entries []Entry) {
	if len(entries) > 0 {
		b.WriteString(".SH " + heading + "\n")
		roffEntries(b, entries)
	}
}

func roffEntries(b *strings.Builder, entries []Entry) {
	for _, entry := range entries {
		fmt.Fprintf(b, ".TP\n%s\n%s\n", roffTerm(entry.Term), roffText(entry.Text))
	}
}

// roffTerm returns a term in bold, but for the placeholders in it, which are in italics:
// words without a lower-case letter that follow a flag.
func roffTerm(term string) string {
	given := strings.Split(term, " ")
	words := slices.Clone(given)
	for i, word := range given {
		bare := strings.TrimSuffix(word, ",")
		font := `\fB`
		if i > 0 && bare == strings.ToUpper(bare) && strings.HasPrefix(given[i-1], "-") && !strings.HasPrefix(word, "-") {
			font = `\fI`
		}
		words[i] = font + roffLine(bare) + `\fR` + strings.TrimPrefix(word, bare)
	}
	return strings.Join(words, " ")
}

// roffSynopsis returns a line of a synopsis, with the program in bold.
func roffSynopsis(name, line string) string {
	return `\fB` + roffLine(name) + `\fR` + roffLine(strings.TrimPrefix(line, name))
}

// roffParagraphs writes paragraphs. One that begins with a space keeps its lines.
func roffParagraphs(b *strings.Builder, paragraphs []string) {
	for i, paragraph := range paragraphs {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		if strings.HasPrefix(paragraph, " ") {
			b.WriteString(".nf\n" + roffText(paragraph) + "\n.fi\n")
			continue
		}
		b.WriteString(roffText(paragraph) + "\n")
	}
}

// roffText returns text of one or more lines as roff prints it.
func roffText(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = roffLine(line)
	}
	return strings.Join(lines, "\n")
}

// roffEscapes are the characters that roff prints as others, or that roff interprets.
var roffEscapes = strings.NewReplacer(
	`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, `"`, `\(dq`, "…", `...`,
)

// roffLine returns a line as roff prints it. A dot at its beginning is not a request.
func roffLine(line string) string {
	line = roffEscapes.Replace(line)
	if strings.HasPrefix(line, ".") {
		return `\&` + line
	}
	return line
}

package docs

import (
	"go/scanner"
	"go/token"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// oldWords are words that comments and texts do without, and what to write instead
// (CONTRIBUTING.md, "Language").
var oldWords = []struct{ pattern, instead string }{
	{`(?i)\btell(s|ing)?\b|\btold\b`, `"reports whether", "returns", "prints", "says"`},
	{`(?i)\b(somebody|nobody)\b`, "a process, a client, a user"},
	{`(?i)\b(whoever|whom|wherever|lest)\b`, `"a client that", "if", "when"`},
	{`(?i)\bwhere (there|it|he|this|that|they|nothing|no|one|a|an|the \w+ (is|has|are|does)|X)\b`, `"if" or "when"`},
	{`(^|[,;:.(] )[Ww]ho (is|has|does|can|may|was|had|[a-z]+s)\b`, `"a client that", "a process that"`},
	{`(?i)\bis no [a-z"]`, `"is not a", "invalid"`},
	{`(?i)\bare no [a-z"]`, `"are not"`},
	{`(?i)\bfor want of\b`, `"for lack of", "out of memory"`},
	{`(?i)\b(he|him|his|himself)\b`, `"it" for a program, "the user" for a person`},
	{`(?i)\bstands? (there|behind|before|beside|in|at|on|alone|where|for itself)\b`, `"is", "is listed", "follows", "precedes"`},
	{`(?i)\b(mend|mends|mended|fate|fates|visitors?|patience|farewell|doors?|keeper)\b`, `"repair", "exit cause", "client", "timeout", "endpoint", "fd store"`},
	{`(?i)\ba word more|words more\b`, `"one more argument"`},
	{`(?i)\blooked (again|at again)\b`, `"is checked again"`},
}

// allowedWords are the places where an old word is right: a part of the line.
var allowedWords = []string{
	"is no longer", "are no longer", "there is no", "There is no", "there are no",
	"the user nobody", `"nobody"`, "nobody:", // the user of this name
	"nobody cared", // the kernel's message
}

// Comments, texts and documents are in the words of the Go standard library.
func TestPlainWords(t *testing.T) {
	t.Parallel()
	var patterns []*regexp.Regexp
	for _, word := range oldWords {
		patterns = append(patterns, regexp.MustCompile(word.pattern))
	}
	listed, err := exec.Command("git", "-C", harness.Root, "ls-files", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for name := range strings.Lines(string(listed)) {
		name = strings.TrimSpace(name)
		for number, line := range prose(t, name) {
			lines++
			for _, allowed := range allowedWords {
				line = strings.ReplaceAll(line, allowed, "")
			}
			for i, pattern := range patterns {
				if found := pattern.FindString(line); found != "" {
					t.Errorf("%s:%d: %q: write %s instead", name, number, found, oldWords[i].instead)
				}
			}
		}
	}
	if lines < 10000 {
		t.Errorf("only %d lines of prose: the test does not read what it should", lines)
	}
}

// prose returns what a person reads of a file, by line number: the comments and strings of
// Go, all of documents, scripts, Nix files and transcripts.
func prose(t *testing.T, name string) map[int]string {
	t.Helper()
	lines := map[int]string{}
	switch {
	case name == "tests/docs/words_test.go" || strings.HasPrefix(name, "LICENSE"):
		return nil
	case strings.HasSuffix(name, ".go"):
	case strings.HasSuffix(name, ".md"), strings.HasSuffix(name, ".nix"), strings.HasSuffix(name, ".sh"),
		strings.HasSuffix(name, ".txtar"), strings.HasSuffix(name, ".yml"), strings.HasPrefix(name, "scripts/"),
		strings.HasPrefix(name, "nix/kernel/"):
		number := 0
		for line := range strings.Lines(harness.ReadFile(t, filepath.Join(harness.Root, name))) {
			number++
			lines[number] = line
		}
		return lines
	default:
		return nil
	}
	source := []byte(harness.ReadFile(t, filepath.Join(harness.Root, name)))
	files := token.NewFileSet()
	file := files.AddFile(name, files.Base(), len(source))
	var s scanner.Scanner
	s.Init(file, source, nil, scanner.ScanComments)
	for {
		position, tok, text := s.Scan()
		if tok == token.EOF {
			return lines
		}
		if tok == token.STRING && text[0] == '"' {
			text, _ = strconv.Unquote(text)
			lines[file.Line(position)] += text + "\n"
			continue
		}
		if tok == token.COMMENT || tok == token.STRING {
			for i, line := range strings.Split(text, "\n") {
				lines[file.Line(position)+i] += line + "\n"
			}
		}
	}
}

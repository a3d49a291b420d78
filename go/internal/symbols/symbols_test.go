package symbols_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"microvm-console/internal/symbols"
)

// source is a program whose functions take the place of the kernel's.
const source = `package main

//go:noinline
func outer(n int) int {
	return inner(n) + 1
}

func inner(n int) int {
	return n * values[n]
}

var values = []int{1, 2, 3}

func main() {
	println(outer(len(values) - 1))
}
`

// program builds the source, and returns the path of the program.
func program(t *testing.T, flags ...string) string {
	dir := t.TempDir()
	file := filepath.Join(dir, "main.go")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "vmlinux")
	build := exec.Command("go", append(append([]string{"build"}, flags...), "-o", out, file)...)
	build.Env = append(os.Environ(), "GOFLAGS=", "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return out
}

func TestDecoder(t *testing.T) {
	decoder, err := symbols.NewDecoder(program(t), "")
	if err != nil {
		t.Fatal(err)
	}
	var inlined bool
	for offset := range 64 {
		got := decoder.Line(fmt.Sprintf(" main.outer+0x%x/0x40\n", offset))
		inlined = inlined || regexp.MustCompile(`main\.outer\S+ \(\S+/main\.go:9 \S+/main\.go:5\)\n$`).MatchString(got)
	}
	if !inlined {
		t.Error("no frame of the inlined function")
	}
	for _, text := range []string{"hello\n", "no_such_function+0x1/0x2\n", "main.outer+0x1/0x2 [module]\n"} {
		if got := decoder.Line(text); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
	}
}

// Frames are found in whichever pieces the text comes.
func TestWriter(t *testing.T) {
	decoder, err := symbols.NewDecoder(program(t), "")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	w := decoder.Writer(&got)
	const text = " main.outer+0x0/0x40\n? main.outer+0x0/0x40"
	for _, c := range []byte(text) {
		if _, err := w.Write([]byte{c}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if want := decoder.Line(text); got.String() != want || strings.Count(want, "main.go:4") != 2 {
		t.Errorf("got %q, want %q", got.String(), want)
	}
}

func TestWithoutDebugInformation(t *testing.T) {
	if _, err := symbols.Open(program(t, "-ldflags=-s -w")); !errors.Is(err, symbols.ErrNoDebug) {
		t.Errorf("got %v, want %v", err, symbols.ErrNoDebug)
	}
}

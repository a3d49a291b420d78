package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A line without an end is printed in pieces as it comes.
func TestLiveLineWithoutEnd(t *testing.T) {
	var got []int
	text := ""
	print := live(func(line string) {
		_, line, _ = strings.Cut(line, " | ")
		got, text = append(got, len(line)), text+line
	})("ttyS0")
	print([]byte("one\r\ntwo"))
	for range 5 {
		print(bytes.Repeat([]byte("x"), 32<<10))
	}
	if diff := cmp.Diff([]int{3, longestLine, longestLine}, got); diff != "" {
		t.Error(diff)
	}
	print([]byte("end\nlast"))
	print(nil)
	if diff := cmp.Diff([]int{3, longestLine, longestLine, 32<<10 + 6, 4}, got); diff != "" {
		t.Error(diff)
	}
	if want := "onetwo" + strings.Repeat("x", 160<<10) + "endlast"; text != want {
		t.Errorf("%d bytes, want %d", len(text), len(want))
	}
}

package main

import (
	"bytes"
	"testing"
)

func TestOracle(t *testing.T) {
	const size = recordBytes
	all := bytes.Clone(newWriter(10 * size).fill())
	noise := []byte("Linux version 6.1 #1 SMP\nlogin: ")
	// Each row omits parts of ten records, and counts them as gaps or not.
	type part struct{ from, to int } // a part that is read
	for _, row := range []struct {
		name                   string
		before                 []byte
		parts                  []part
		counted                bool
		hit, missing, repeated int64
	}{
		{"all", nil, []part{{0, 10 * size}}, true, 0, 0, 0},
		{"all, after a boot", noise, []part{{0, 10 * size}}, true, 0, 0, 0},
		{"two records, counted", noise, []part{{0, 3 * size}, {5 * size, 10 * size}}, true, 2, 0, 0},
		{"as many bytes, from within a record on", noise, []part{{0, 3*size + 20}, {5*size + 20, 10 * size}}, true, 3, 0, 0},
		{"the same, from within a number on", nil, []part{{0, 3*size + 9}, {5*size + 9, 10 * size}}, true, 3, 0, 0},
		{"one byte", nil, []part{{0, 3*size + 20}, {3*size + 21, 10 * size}}, true, 1, 0, 0},
		{"two bytes of one record", nil, []part{{0, 3*size + 20}, {3*size + 21, 3*size + 40}, {3*size + 41, 10 * size}}, true, 1, 0, 0},
		{"two records, not counted", noise, []part{{0, 3 * size}, {5 * size, 10 * size}}, false, 0, 2, 0},
		{"a repeated record", noise, []part{{0, 3 * size}, {2 * size, 10 * size}}, false, 0, 0, 1},
	} {
		for _, step := range []int{7, size, 4096} { // bytes that are read at once
			o, at := newOracle(), 0
			o.take(row.before)
			for _, part := range row.parts {
				if row.counted && part.from > at {
					o.gap(int64(part.from - at))
				}
				for from := part.from; from < part.to; from += step {
					o.take(all[from:min(from+step, part.to)])
				}
				at = part.to
			}
			if o.hit != row.hit || o.missing() != row.missing || o.repeated != row.repeated || o.base != 0 || row.counted && o.place != 10*size {
				t.Errorf("%s, by %d bytes: hit %d, missing %d, repeated %d, base %d, place %d",
					row.name, step, o.hit, o.missing(), o.repeated, o.base, o.place)
			}
		}
	}
}

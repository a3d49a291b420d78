package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"microvm-console/internal/state"
)

// checkFiles checks the journal's files, boot by boot.
func (s *followed) checkFiles(ctx context.Context) error {
	console, err := s.status(ctx)
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(console.Relay.Journal, "*.log")) // sorted by name, which is their order
	if err != nil {
		return err
	}
	boots := map[string]*oracle{}
	for _, path := range files {
		words := strings.Split(filepath.Base(path), ".") // <offset>.<boot>.log
		offset, err := strconv.ParseInt(words[0], 10, 64)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		boot := words[1]
		if !s.boots {
			boot = ""
		}
		if boots[boot] == nil {
			boots[boot] = newOracle()
		}
		if err := boots[boot].file(path, offset, console.Relay.Gaps); err != nil {
			return err
		}
	}
	for boot, o := range boots {
		if o.missing() != 0 || o.repeated != 0 {
			s.fault("%s: the journal's files of boot %s: missing %d, repeated %d", s.name, boot, o.missing(), o.repeated)
		}
	}
	return nil
}

// file checks a journal's file that begins at offset.
func (o *oracle) file(path string, offset int64, gaps []state.Gap) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for _, gap := range gaps {
		if at := gap.Offset - offset; at >= 0 && at < int64(len(data)) {
			o.take(data[:at])
			if o.part = o.part[:0]; o.begun {
				o.gap(gap.Bytes)
			}
			data, offset = data[at:], gap.Offset
		}
	}
	o.take(data)
	return nil
}

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// openLog opens the log of --file; "-" is standard input.
func openLog(path string) (*os.File, error) {
	if path == "-" {
		return os.Stdin, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("file: %w", err)
	}
	return file, nil
}

// readLog passes the log of --file to feed, in pieces. A log without text is an error: it would have no
// event, whatever the kernel has printed.
func readLog(path string, feed func(data []byte)) error {
	in, err := openLog(path)
	if err != nil {
		return err
	}
	defer in.Close()
	name := path
	if path == "-" {
		name = "standard input"
	}
	chunk := make([]byte, 64<<10)
	text := false // there was a byte other than NUL
	for first := true; ; first = false {
		n, err := io.ReadAtLeast(in, chunk, magicLength) // not a whole chunk: the log may still be written
		data := chunk[:n]
		if is := binary(data); first && is != "" {
			return fmt.Errorf("file: %s is %s", name, is)
		}
		text = text || len(bytes.Trim(data, "\x00")) > 0
		feed(data)
		switch isEnd := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF); {
		case err == nil:
		case !isEnd:
			return fmt.Errorf("file: %w", err)
		case first && n == 0:
			return fmt.Errorf("file: %s is empty (choose the log of the kernel's console)", name)
		case !text:
			return fmt.Errorf("file: %s has only NUL bytes (choose the log of the kernel's console)", name)
		default:
			return nil
		}
	}
}

// magicLength is how many bytes binary needs.
const magicLength = 8

// compressions are the first bytes of compressed files.
var compressions = []struct{ magic, name string }{
	{"\x1f\x8b\x08", "gzip"},
	{"\xfd7zXZ\x00", "xz"},
	{"\x28\xb5\x2f\xfd", "zstd"},
	{"BZh", "bzip2"},
}

// binary returns what a file is that begins with data, or "" if it may be text. It goes by clear magic
// numbers only, because a console may print any bytes among its text.
func binary(data []byte) string {
	begin := string(data[:min(len(data), magicLength)])
	for _, c := range compressions {
		if strings.HasPrefix(begin, c.magic) {
			return "compressed (" + c.name + "): decompress it first"
		}
	}
	switch {
	case strings.HasPrefix(begin, "\x7fELF"):
		return "not the text of a console (an ELF file)"
	case len(begin) >= 4 && (begin[:2] == "\xff\xfe" && begin[3] == 0 || begin[:2] == "\xfe\xff" && begin[2] == 0):
		return "not the text of a console (UTF-16: convert it to UTF-8)"
	}
	return ""
}

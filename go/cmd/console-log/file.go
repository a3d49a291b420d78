package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

// logFile is the log of --file.
type logFile struct {
	*bufio.Reader
	file *os.File
	name string // for messages
}

// nameOf returns the name of the log of --file for messages.
func nameOf(path string) string {
	if path == "-" {
		return "standard input"
	}
	return path
}

// noKernel returns the error of a log without a line of a kernel. It has no event, and cannot be called clean.
func noKernel(path string) error {
	return fmt.Errorf("file: %s has no line of a Linux kernel (choose the log of the kernel's console)", nameOf(path))
}

// openLog opens the log of --file; "-" is standard input. A log that is not text is an error. Of a pipe,
// openLog waits for the first bytes only. The caller closes the file.
func openLog(path string) (logFile, error) {
	file := os.Stdin
	if path != "-" {
		var err error
		if file, err = os.Open(path); err != nil {
			return logFile{}, fmt.Errorf("file: %w", err)
		}
	}
	name := nameOf(path)
	in := logFile{bufio.NewReaderSize(file, 64<<10), file, name}
	_, _ = in.Peek(magicLength)        // the next read returns the error
	begin, _ := in.Peek(in.Buffered()) // what has come with the first bytes
	if is := binary(begin); is != "" {
		file.Close()
		return logFile{}, fmt.Errorf("file: %s is %s", name, is)
	}
	return in, nil
}

// readLog passes the log of --file to feed, in pieces. A log without text is an error: it would have no
// event, whatever the kernel has printed.
func readLog(path string, feed func(data []byte)) error {
	in, err := openLog(path)
	if err != nil {
		return err
	}
	defer in.file.Close()
	length := 0
	text := false // there was a byte other than NUL
	for chunk := make([]byte, 64<<10); err == nil; {
		var n int
		n, err = in.Read(chunk)
		data := chunk[:n]
		length += n
		text = text || len(bytes.Trim(data, "\x00")) > 0
		feed(data)
	}
	switch {
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("file: %w", err)
	case length == 0:
		return fmt.Errorf("file: %s is empty (choose the log of the kernel's console)", in.name)
	case !text:
		return fmt.Errorf("file: %s has only NUL bytes (choose the log of the kernel's console)", in.name)
	}
	return nil
}

// magicLength is how many bytes openLog waits for: the longest magic number.
const magicLength = 8

// records match the beginnings of logs in other formats than text. Other JSON may be a console's output.
var records = []struct {
	begin *regexp.Regexp
	is    string
}{
	{regexp.MustCompile(`^\{\s*"dmesg"`), "JSON (use dmesg without -J)"},
	{regexp.MustCompile(`^\{\s*[^\n]*"(?:__CURSOR|MESSAGE)"`), "JSON (use journalctl without -o json)"},
	{regexp.MustCompile(`^__CURSOR=`), "an export of a journal (use journalctl without -o export)"},
}

// compressions are the first bytes of compressed files.
var compressions = []struct{ magic, name string }{
	{"\x1f\x8b\x08", "gzip"},
	{"\xfd7zXZ\x00", "xz"},
	{"\x28\xb5\x2f\xfd", "zstd"},
	{"BZh", "bzip2"},
}

// binary returns what a file is that begins with data, or "" if it may be the text of a console. It goes by
// clear signs only, because a console may print any bytes among its text.
func binary(data []byte) string {
	begin := string(data[:min(len(data), magicLength)])
	for _, r := range records {
		if r.begin.Match(data) {
			return r.is
		}
	}
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

package main

import (
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/symbols"
)

// output is what is printed to a file; the file is not closed.
type output struct {
	io.Writer
	file *os.File
}

// Fd returns the descriptor of the file.
func (o output) Fd() uintptr { return o.file.Fd() }

// Close writes what is left.
func (o output) Close() error {
	if closer, ok := o.Writer.(io.Closer); ok && o.Writer != io.Writer(o.file) {
		return closer.Close()
	}
	return nil
}

// decoded returns the output to a file. With --decode it adds source lines to the frames of
// traces.
func decoded(c *cli.Context, file *os.File) (output, error) {
	if !c.IsSet("decode") {
		return output{file, file}, nil
	}
	decoder, err := symbols.NewDecoder(c.String("decode"), c.String("modules"))
	if err != nil {
		return output{}, err
	}
	return output{decoder.Writer(file), file}, nil
}

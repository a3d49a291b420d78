package main

import (
	"cmp"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/attach"
	"microvm-console/internal/follow"
	"microvm-console/internal/symbols"
)

// output is what is printed to a file; the file is not closed.
type output struct {
	io.Writer
	file    *os.File
	decoder *symbols.Decoder // nil without --decode
}

// Fd returns the descriptor of the file.
func (o output) Fd() uintptr { return o.file.Fd() }

// Close writes what is left.
func (o output) Close() error {
	if closer, ok := o.Writer.(io.Closer); ok && o.decoder != nil {
		return closer.Close()
	}
	return nil
}

// survey passes a log that will be printed to the decoder, as far as it can be read: printing it
// reports the rest.
func (o output) survey(log func(io.Writer) error) {
	if o.decoder != nil {
		w := o.decoder.Survey()
		_ = cmp.Or(log(w), w.Close())
	}
}

// decoded returns the output to a file. With --decode it adds source lines to the frames of
// traces.
func decoded(c *cli.Context, file *os.File) (output, error) {
	if !c.IsSet("decode") {
		return output{Writer: file, file: file}, nil
	}
	decoder, err := symbols.NewDecoder(symbols.Options{
		Vmlinux: c.String("decode"),
		Modules: c.String("modules"),
		Warn:    func(err error) { fmt.Fprintf(c.App.ErrWriter, "%s: %v\n", c.App.Name, err) },
	})
	if err != nil {
		return output{}, fmt.Errorf("decode: %w", err)
	}
	return output{decoder.Writer(file), file, decoder}, nil
}

// decodeFile prints the log in a file with source lines; "-" is standard input. A log that comes
// through a pipe is printed as it comes.
func decodeFile(c *cli.Context, o options, path string) error {
	out, err := decoded(c, os.Stdout)
	if err != nil {
		return err
	}
	in, err := openLog(path)
	if err != nil {
		return err
	}
	defer in.file.Close()
	if at, err := in.file.Seek(0, io.SeekCurrent); err == nil {
		start := at - int64(in.Buffered())
		out.survey(func(w io.Writer) error {
			_, err := in.WriteTo(w)
			return err
		})
		if _, err := in.file.Seek(start, io.SeekStart); err != nil {
			return fmt.Errorf("file: %w", err)
		}
		in.Reset(in.file)
	}
	view := attach.NewView(o.show, out, c.App.ErrWriter)
	_, err = in.WriteTo(&viewWriter{view: view})
	if err != nil {
		err = fmt.Errorf("file: %w", err)
	}
	return cmp.Or(err, view.Close(), out.Close())
}

// viewWriter passes what is written to a view.
type viewWriter struct {
	view   *attach.View
	offset int64
}

func (w *viewWriter) Write(data []byte) (int, error) {
	if err := w.view.Handle(follow.Event{Kind: follow.Data, Data: data, Offset: w.offset, History: true}); err != nil {
		return 0, err
	}
	w.offset += int64(len(data))
	return len(data), nil
}

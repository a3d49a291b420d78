package endpoint

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"microvm-console/internal/descriptor"
	"microvm-console/internal/journal"
	"microvm-console/internal/relay"
)

// newRelay returns a relay that does not run.
func newRelay(t *testing.T) *relay.Relay {
	t.Helper()
	stream, err := journal.Open(t.TempDir(), journal.DefaultRetention)
	if err != nil {
		t.Fatal(err)
	}
	r, err := relay.New(relay.Config{Dir: t.TempDir(), Journal: stream})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Abandon)
	return r
}

func openToRead(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

// A reader that opens the FIFO before the last one is seen to close it, and reads what
// that one has left, continues after that, without a repeat.
func TestEarlyReaderContinuesWhereTheLastOneEnded(t *testing.T) {
	r := newRelay(t)
	fifo, err := OpenOutFIFO(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { fifo.Close() }()
	first := openToRead(t, fifo.path)
	if _, err := fifo.Write([]byte("left")); err != nil {
		t.Fatal(err)
	}
	early := openToRead(t, fifo.path)
	first.Close()
	if n, err := early.Read(make([]byte, 10)); n != 4 || err != nil {
		t.Fatal(n, err)
	}
	if err := fifo.reset(context.Background(), 50); err != nil {
		t.Fatal(err)
	}
	if at := fifo.origin(r); at != 50 {
		t.Errorf("the early reader begins at %d", at)
	}
	early.Close()
	if err := fifo.reset(context.Background(), 60); err != nil {
		t.Fatal(err)
	}
	if at := fifo.origin(r); at != 0 {
		t.Errorf("the next reader begins at %d", at)
	}
}

// A process that reads the FIFO when a relay starts has read an unknown number of an
// earlier relay's bytes. Its stream ends.
func TestReaderOfAnEarlierRelay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	killed, err := OpenOutFIFO(path)
	if err != nil {
		t.Fatal(err)
	}
	reader := openToRead(t, path)
	sleep := exec.Command("sleep", "1000") // another process that has the FIFO open
	sleep.Stdin = reader
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	defer sleep.Wait()
	defer sleep.Process.Kill()
	if _, err := killed.Write([]byte("left")); err != nil {
		t.Fatal(err)
	}
	killed.Close()
	fifo, err := OpenOutFIFO(path)
	if err != nil {
		t.Fatal(err)
	}
	defer fifo.Close()
	if fifo.present(newRelay(t)) || descriptor.Unread(fifo.file) != 0 {
		t.Error("the old reader is treated as a new one")
	}
	if text, err := io.ReadAll(reader); string(text) != "left" || err != nil {
		t.Errorf("the old reader got %q, %v", text, err)
	}
}

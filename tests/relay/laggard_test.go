package relay

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"testing"
	"time"

	"microvm-console/tests/internal/harness"
)

// retentionNotice matches the notice to a client that has missed bytes that are no longer kept.
var retentionNotice = regexp.MustCompile(`\r\n\[(\d+) bytes are no longer kept \(offset (\d+) to (\d+)\)\]\r\n`)

// TestLaggard has clients that stop reading until the journal has dropped their next bytes. When
// they read again, each receives a notice of exactly the missing bytes, and what follows.
func TestLaggard(t *testing.T) {
	t.Parallel()
	const printedBytes, early = 256 << 20, 100_000 // up to 64 MiB of it are kept for them
	harness.OwnFolders(t)
	ports, settings := freePorts(t, "serial")
	writeSettings(t, `"retentionMiB": 16, `+settings)
	relay := startRelay(t, "serial")
	relay.ports = ports
	lock := lockSerial(t, relay)
	defer lock.Close()
	laggards := map[string]net.Conn{}
	for network, address := range map[string]string{"unix": publicPath(t, "serial", "sock"), "tcp": relay.address("serial")} {
		conn, err := net.Dial(network, address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		laggards[network] = conn
	}
	stream, at, missing := streamFrom(t, "start")
	if at != 0 || missing != 0 {
		t.Errorf("a stream begins at %d, after %d missing bytes", at, missing)
	}
	ended := startPrinting(t, printJob{privatePath(t, "serial", "vm.out"), "serial", 0, printedBytes, 0, true})
	got := map[string][]byte{"stream": readSome(t, stream, early)}
	for kind, conn := range laggards {
		got[kind] = readSome(t, conn, early)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	awaitPrinted(t, printedBytes)
	var all []byte
	for number := range printedBytes / lineBytes {
		all = appendLine(all, "serial", 0, number)
	}
	last := all[len(all)-lineBytes:]
	for kind, conn := range laggards {
		text := append(got[kind], readUntil(t, conn, last)...)
		place := retentionNotice.FindSubmatchIndex(text)
		if place == nil {
			t.Errorf("%s: %d bytes without a notice", kind, len(text))
			continue
		}
		from, to := int64(place[0]), number(text[place[6]:place[7]])
		if number(text[place[2]:place[3]]) != to-from || number(text[place[4]:place[5]]) != from {
			t.Errorf("%s: the notice after %d bytes is %q", kind, from, text[place[0]:place[1]])
		}
		if !bytes.Equal(text[:from], all[:from]) || !bytes.Equal(text[place[1]:], all[to:]) {
			t.Errorf("%s: the bytes before %d and from %d on are wrong", kind, from, to)
		}
	}
	rest, err := io.ReadAll(stream)
	if err == nil {
		t.Error("the stream has not ended")
	}
	text := append(got["stream"], rest...)
	again, at, missing := streamFrom(t, strconv.Itoa(len(text)))
	if missing == 0 || at != int64(len(text))+missing || !bytes.Equal(text, all[:len(text)]) {
		t.Errorf("a stream ends at %d, and the next one begins at %d, after %d missing bytes", len(text), at, missing)
	}
	if !bytes.Equal(readUntil(t, again, last), all[at:]) {
		t.Errorf("the stream that begins at %d has wrong bytes", at)
	}
	relay.stop()
}

// TestSlowClient checks that a client that reads more slowly than the guest prints loses nothing,
// although the guest prints more than is kept without such a client.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	harness.OwnFolders(t)
	writeSettings(t, `"retentionMiB": 16`)
	relay := startRelay(t, "serial")
	lock := lockSerial(t, relay)
	defer lock.Close()
	conn, err := net.Dial("unix", publicPath(t, "serial", "sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const boots, bytesOfBoot, some = 60, 1 << 20, 4096
	var all, got []byte
	for boot := range boots {
		printAndWait(t, printJob{privatePath(t, "serial", "vm.out"), "serial", boot, bytesOfBoot, 0, true})
		for number := range bytesOfBoot / lineBytes {
			all = appendLine(all, "serial", boot, number)
		}
		got = append(got, readSome(t, conn, some)...)
	}
	awaitPrinted(t, boots*bytesOfBoot)
	got = append(got, readUntil(t, conn, all[len(all)-lineBytes:])...)
	if !bytes.Equal(got, all) {
		t.Errorf("got %d bytes of %d, or wrong ones: %q", len(got), len(all), retentionNotice.Find(got))
	}
	relay.stop()
}

func number(text []byte) int64 {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// streamFrom requests the bytes of the serial channel. missing is the number of bytes that are
// no longer kept.
func streamFrom(t *testing.T, from string) (body io.Reader, offset, missing int64) {
	t.Helper()
	client := controlClient(t, "serial")
	client.Timeout = 0
	response, err := client.Get("http://channel/stream?gaps=true&from=" + from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		t.Fatalf("stream from %s: %s", from, response.Status)
	}
	return response.Body, number([]byte(response.Header.Get("Microvm-Offset"))), number([]byte(response.Header.Get("Microvm-Gap")))
}

func readSome(t *testing.T, from io.Reader, bytes int) []byte {
	t.Helper()
	text := make([]byte, bytes)
	if _, err := io.ReadFull(from, text); err != nil {
		t.Fatal(err)
	}
	return text
}

// readUntil reads until last, and returns the text up to its end.
func readUntil(t *testing.T, from io.Reader, last []byte) []byte {
	t.Helper()
	if conn, ok := from.(net.Conn); ok {
		conn.SetReadDeadline(time.Now().Add(harness.WaitLimit))
	}
	var text []byte
	chunk := make([]byte, 64<<10)
	for !bytes.HasSuffix(text, last) {
		n, err := from.Read(chunk)
		text = append(text, chunk[:n]...)
		if err != nil && !errors.Is(err, io.EOF) || n == 0 {
			t.Fatalf("after %d bytes: %v", len(text), err)
		}
	}
	return text
}

package asciicast

import (
	"bufio"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var start = time.Unix(1000, 0)

func at(seconds float64) time.Time {
	return start.Add(time.Duration(seconds * float64(time.Second)))
}

func TestWriter(t *testing.T) {
	var out strings.Builder
	w, err := NewWriter(&out, Header{Start: start, Title: "demo"})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []error{
		w.Output(at(0.5), []byte("a<b>\x1b[0m\x7f\u009b\u202e\r\n")),
		w.Output(at(0.4), []byte("clock set back\xe2")), // the character is complete in the next piece
		w.Output(at(1), []byte("\x82")),
		w.Output(at(1.25), []byte("\xac!")),
		w.Output(time.Time{}, []byte("\xff\xf0\x9f")),
		w.Flush(),
		w.Marker(at(2), "5 bytes are missing here"),
		w.Output(at(3), []byte("\x98\x80\xe2")),
		w.Marker(at(3.5), "the guest restarted"),
		w.Output(at(4), []byte("\x82\xac\xe2\x82")),
		w.Flush(),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	want := `{"version":2,"width":80,"height":24,"timestamp":1000,"title":"demo"}
[0.5,"o","a<b>\u001b[0m\u007f\u009b\u202e\r\n"]
[0.5,"o","clock set back"]
[1.25,"o","€!"]
[1.25,"o","\ufffd"]
[1.25,"o","\ufffd\ufffd"]
[2,"m","5 bytes are missing here"]
[3,"o","\ufffd\ufffd"]
[3.5,"m","the guest restarted"]
[4,"o","€"]
[4,"o","\ufffd\ufffd"]
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestWithoutAStart(t *testing.T) {
	var out strings.Builder
	w, err := NewWriter(&out, Header{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Output(at(7), []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := w.Output(at(7.5), []byte("y")); err != nil {
		t.Fatal(err)
	}
	want := `{"version":2,"width":80,"height":24}` + "\n" + `[0,"o","x"]` + "\n" + `[0.5,"o","y"]` + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

// The output of all events is the data, whatever the borders of its pieces, with invalid
// bytes replaced.
func FuzzOutput(f *testing.F) {
	f.Add([]byte("login: \xe2\x82\xac \xff\r\n\x1b[31m\xf0\x9f\x98\x80"), uint8(1))
	f.Add([]byte("\xe2\x82"), uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, piece uint8) {
		var out strings.Builder
		w, err := NewWriter(&out, Header{})
		if err != nil {
			t.Fatal(err)
		}
		for rest := data; len(rest) > 0; {
			n := min(len(rest), int(piece)+1)
			if err := w.Output(start, rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if got, want := texts(t, out.String()), string([]rune(string(data))); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// texts returns the joined output of a recording.
func texts(t *testing.T, recording string) string {
	t.Helper()
	lines := bufio.NewScanner(strings.NewReader(recording))
	lines.Buffer(nil, 16<<20)
	lines.Scan()
	var all strings.Builder
	for lines.Scan() {
		var event [3]any
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		if event[1] == "o" {
			all.WriteString(event[2].(string))
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all.String()
}

package relay

import (
	"io"
	"regexp"
	"slices"

	"microvm-console/internal/ctl"
)

// Input returns what types into the console for a client. Each Write is whole
// up to inputWhole bytes, and waits while the guest does not read.
func (r *Relay) Input(request ctl.StreamRequest) io.Writer {
	return &typist{relay: r, request: request}
}

// typist types for one client.
type typist struct {
	relay   *Relay
	request ctl.StreamRequest
}

// answer is what a terminal says by itself when a program asks it: cursor
// position and status (DSR), attributes (DA), size (CSI t), modes (DECRPM); see
// xterm's control sequences.
var answer = regexp.MustCompile(`\x1b\[[?>]?[0-9;]*(?:[Rnct]|\$y)`)

func (t *typist) Write(data []byte) (int, error) {
	typed := slices.Clone(data)
	if t.request.Terminal && !t.relay.mayAnswer(t.request.Client) {
		// The same question was shown on several terminals; one answer is right.
		typed = answer.ReplaceAll(typed, nil)
	}
	for chunk := range slices.Chunk(typed, inputWhole) {
		if err := t.relay.input.write(chunk); err != nil {
			return 0, err
		}
	}
	return len(data), nil
}

// mayAnswer tells whether the terminal of the client called name is the one
// whose answers reach the guest.
func (r *Relay) mayAnswer(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	answering := r.answering()
	return answering == nil || answering.name == name
}

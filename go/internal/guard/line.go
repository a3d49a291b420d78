package guard

import (
	"bytes"
	"regexp"
	"strings"
)

// verdict is the classification of a client's first bytes.
type verdict int

const (
	undecided verdict = iota // may be the beginning of a request
	request                  // a request of a browser
	other                    // not a request
)

// openings are the first bytes of a browser's requests: a method and a target in origin
// or asterisk form (RFC 9112, section 3), the HTTP/2 preface (RFC 9113, section 3.4), or
// a TLS record (RFC 8446, section 5.1).
var openings = func() (all [][]byte) {
	const methods = "GET HEAD POST PUT DELETE OPTIONS PATCH TRACE CONNECT PRI"
	for method := range strings.FieldsSeq(methods) {
		all = append(all, []byte(method+" /"), []byte(method+" *"))
	}
	return append(all, []byte{0x16, 0x03})
}()

// burst is the number of bytes of the first read that are judged together. A browser
// writes a request at once, or in parts of at least this size.
const burst = 4096

var (
	// anyRequest matches a request line of RFC 9112, section 3, with any method. A page
	// can choose the method freely if the browser takes the server for the page's own
	// (DNS rebinding).
	anyRequest = regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]+ [^ ]+ HTTP/[0-9]")
	// longRequest matches the beginning of a request line that is longer than burst.
	longRequest = regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]+( [^ ]*( H.*)?)?$")
)

// magicCookie is in each message of STUN and TURN (RFC 8489, section 5), which a page can
// send with WebRTC.
var magicCookie = []byte{0x21, 0x12, 0xa4, 0x42}

// judgeBurst classifies a client by its first read alone. It reports whether that is a
// request, including requests that do not begin with one of openings.
func judgeBurst(first []byte) bool {
	// Over TCP, ICE puts a length before each message (RFC 4571), TURN does not.
	for _, message := range [][]byte{first, first[min(2, len(first)):]} {
		if len(message) >= 8 && message[0]&0xc0 == 0 && bytes.Equal(message[4:8], magicCookie) {
			return true
		}
	}
	line, _, whole := bytes.Cut(first, []byte("\n"))
	return anyRequest.Match(line) || !whole && len(first) >= burst && longRequest.Match(line)
}

// judgeLine classifies a client by its first bytes.
func judgeLine(first []byte) verdict {
	for _, opening := range openings {
		switch {
		case bytes.HasPrefix(first, opening):
			return request
		case bytes.HasPrefix(opening, first):
			return undecided
		}
	}
	return other
}

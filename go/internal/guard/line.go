package guard

import (
	"bytes"
	"regexp"
	"strings"
)

// verdict is what the first bytes of a client are.
type verdict int

const (
	undecided verdict = iota // a request may follow
	request                  // what a browser sends
	other                    // something else
)

// openings are the first bytes of what a browser sends: a method and a target of
// RFC 9112, section 3, in origin or asterisk form, the preface of RFC 9113, section
// 3.4, or a TLS record of RFC 8446, section 5.1.
var openings = func() (all [][]byte) {
	const methods = "GET HEAD POST PUT DELETE OPTIONS PATCH TRACE CONNECT PRI"
	for method := range strings.FieldsSeq(methods) {
		all = append(all, []byte(method+" /"), []byte(method+" *"))
	}
	return append(all, []byte{0x16, 0x03})
}()

// burst is how much of the first read is judged at once, in bytes. A browser writes a
// request at once, or in parts that are at least as long.
const burst = 4096

var (
	// anyRequest is a request line of RFC 9112, section 3, with any method: a page
	// chooses it freely for a server that it takes for its own (DNS rebinding).
	anyRequest = regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]+ [^ ]+ HTTP/[0-9]")
	// longRequest is the beginning of one that is longer than a burst.
	longRequest = regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]+( [^ ]*( H.*)?)?$")
)

// magicCookie is in each message of STUN and TURN (RFC 8489, section 5), which a page
// sends by WebRTC.
var magicCookie = []byte{0x21, 0x12, 0xa4, 0x42}

// judgeBurst decides what a client is from its first read alone. It reports whether that
// is a request, also one whose method or protocol is not among openings.
func judgeBurst(first []byte) bool {
	// Over TCP, a message stands behind its length (RFC 4571) for ICE, and alone for TURN.
	for _, message := range [][]byte{first, first[min(2, len(first)):]} {
		if len(message) >= 8 && message[0]&0xc0 == 0 && bytes.Equal(message[4:8], magicCookie) {
			return true
		}
	}
	line, _, whole := bytes.Cut(first, []byte("\n"))
	return anyRequest.Match(line) || !whole && len(first) >= burst && longRequest.Match(line)
}

// judgeLine decides what a client is from the first bytes that it sends.
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

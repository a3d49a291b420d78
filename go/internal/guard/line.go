package guard

import (
	"bytes"
	"strings"
)

// verdict is what the first bytes of a client are.
type verdict int

const (
	undecided verdict = iota // a request may follow
	request                  // an HTTP request or a TLS handshake
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

// longest is the length of the longest opening.
const longest = len("OPTIONS /")

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

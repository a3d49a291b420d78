package relay

import (
	"bytes"
	"regexp"
)

// askedBytes is how much of the end of the stream is searched for a query. That is enough
// because a program that queries the terminal waits for the answer, so the query is at
// the end.
const askedBytes = 128

// query matches a terminal query: cursor position (CSI 6 n), status (5 n), attributes
// (c), size (18 t); see xterm's control sequences. farCorner matches a move of the cursor
// to the last column of the last row, which precedes a cursor query that asks for the
// size.
var (
	query     = regexp.MustCompile(`\x1b\[(?:[56]n|0?c|18t)`)
	farCorner = regexp.MustCompile(`\x1b\[\d{3,};\d{3,}H$`)
)

// responder answers the guest's terminal queries.
type responder struct {
	relay    *Relay
	answered int64 // offset just after the last query that was answered
}

// answer answers the queries at the end of the stream as a terminal of 24 rows and 80
// columns, unless a client has the writer's seat. Without an answer, a booting guest
// would wait for a timeout. A query may arrive in pieces, because a serial port is
// drained byte by byte.
func (r *responder) answer() {
	_, end := r.relay.journal.Range()
	if r.relay.in.dropped || r.relay.seat.current() != nil {
		r.answered = end
	}
	open := min(end-r.answered, askedBytes)
	if open <= 0 {
		return
	}
	tail := r.relay.journal.Tail(int(open))
	answers, after := answersTo(tail)
	for _, one := range answers {
		r.relay.in.answer(one)
	}
	if len(answers) > 0 {
		r.answered = end - int64(len(tail)-after)
	}
}

// answersTo returns the answers to the queries in tail, and the index just after the last
// query.
func answersTo(tail []byte) (answers [][]byte, after int) {
	for _, at := range query.FindAllIndex(tail, -1) {
		answers, after = append(answers, answerTo(tail[:at[0]], tail[at[0]:at[1]])), at[1]
	}
	return answers, after
}

// answerTo returns the answer to a query; before is the output that precedes it.
func answerTo(before, query []byte) []byte {
	switch {
	case bytes.HasSuffix(query, []byte("18t")):
		return []byte("\x1b[8;24;80t")
	case bytes.HasSuffix(query, []byte("5n")):
		return []byte("\x1b[0n")
	case bytes.HasSuffix(query, []byte("c")):
		return []byte("\x1b[?1;2c")
	case farCorner.Match(before):
		return []byte("\x1b[24;80R")
	}
	return []byte("\x1b[1;1R")
}

package relay

import (
	"bytes"
	"regexp"
)

// askedBytes is how much of the end of the stream is looked at for a question: a program
// that asks a terminal waits, so that the question is what came last.
const askedBytes = 128

// question is what a program asks a terminal: cursor position (CSI 6 n), status
// (5 n), attributes (c), size (18 t); see xterm's control sequences. far is the
// cursor's way to the last column of the last row, from where one asks the size.
var (
	question = regexp.MustCompile(`\x1b\[(?:[56]n|0?c|18t)`)
	far      = regexp.MustCompile(`\x1b\[\d{3,};\d{3,}H$`)
)

// prober answers what the guest asks a terminal.
type prober struct {
	relay    *Relay
	answered int64 // behind the last question that was answered
}

// answer answers, as a terminal of 24 rows and 80 columns would, what the guest has asked
// at the end of the stream, while no client has the writer's seat: a guest that boots
// would wait for it. A question may come in pieces: a serial port is drained byte by byte.
func (p *prober) answer() {
	_, end := p.relay.journal.Range()
	if p.relay.in.dropped || p.relay.seat.current() != nil {
		p.answered = end
	}
	open := min(end-p.answered, askedBytes)
	if open <= 0 {
		return
	}
	tail := p.relay.journal.Tail(int(open))
	answers, behind := answersTo(tail)
	for _, one := range answers {
		p.relay.in.answer(one)
	}
	if len(answers) > 0 {
		p.answered = end - int64(len(tail)-behind)
	}
}

// answersTo returns the answers to the questions in tail, and the position behind the last
// one.
func answersTo(tail []byte) (answers [][]byte, behind int) {
	for _, at := range question.FindAllIndex(tail, -1) {
		answers, behind = append(answers, answerTo(tail[:at[0]], tail[at[0]:at[1]])), at[1]
	}
	return answers, behind
}

// answerTo returns the answer to a question, which follows before.
func answerTo(before, question []byte) []byte {
	switch {
	case bytes.HasSuffix(question, []byte("18t")):
		return []byte("\x1b[8;24;80t")
	case bytes.HasSuffix(question, []byte("5n")):
		return []byte("\x1b[0n")
	case bytes.HasSuffix(question, []byte("c")):
		return []byte("\x1b[?1;2c")
	case far.Match(before):
		return []byte("\x1b[24;80R")
	}
	return []byte("\x1b[1;1R")
}

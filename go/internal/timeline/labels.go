package timeline

import "slices"

// label is a text at a place of the time axis, with a line down to the axis.
type label struct {
	x       float64
	text    string
	width   float64
	row     int  // from 0, the lowest
	before  bool // the text is before x
	settled bool // it has its row
}

// span returns the first and the last x of a label's text.
func (l label) span() (from, to float64) {
	if l.before {
		return l.x - 8 - l.width, l.x - 2
	}
	return l.x + 2, l.x + 8 + l.width
}

// collides reports whether one label covers another one, or its line does.
func (l label) collides(other label) bool {
	from, to := l.span()
	otherFrom, otherTo := other.span()
	switch {
	case l.row == other.row:
		return from < otherTo && otherFrom < to || otherFrom < l.x && l.x < otherTo || from < other.x && other.x < to
	case l.row > other.row:
		return otherFrom < l.x && l.x < otherTo
	}
	return from < other.x && other.x < to
}

// place gives each label, which are sorted by x, a row in which it covers no other. It returns
// the number of rows.
//
// A text is after its line if it ends before the lines of all labels with a text before theirs.
// Those are above the lines that they would cross. So there is a row for each label.
func place(labels []label) ([]label, int) {
	limit := right
	for i, l := range slices.Backward(labels) {
		if _, to := l.span(); to > limit {
			labels[i].before = true
			labels[i].text = cut(l.text, l.x-8-margin)
			labels[i].width = wide(labels[i].text)
			limit = l.x
		}
	}
	rows := 0
	settle := func(i int) {
		l := &labels[i]
		for slices.ContainsFunc(labels, func(other label) bool { return other.settled && l.collides(other) }) {
			l.row++
		}
		l.settled = true
		rows = max(rows, l.row+1)
	}
	for i := range slices.Backward(labels) {
		if !labels[i].before {
			settle(i)
		}
	}
	for i := range labels {
		if labels[i].before {
			settle(i)
		}
	}
	return labels, rows
}

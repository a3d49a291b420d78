package timeline

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"microvm-console/internal/plaintext"
)

// style has the colors for light and dark pages. Programs that read no style sheet use the
// attributes of each element, which are readable on both.
const style = `
svg{font:12px system-ui,"DejaVu Sans",sans-serif}
.card{fill:#fff;stroke:#d0d7de}
text{fill:#1f2328}
.dim{fill:#59636e}
.grid{stroke:#d8dee4}
.lead{stroke:#8c959f}
.area0{fill:#0969da}.area1{fill:#8250df}.area2{fill:#1b7c83}
.good{fill:#1a7f37}.note{fill:#9a6700}.bad{fill:#cf222e}
.goodline{stroke:#1a7f37}.noteline{stroke:#9a6700}.badline{stroke:#cf222e}
.strong{font-weight:600}
text.over{fill:#fff}
@media (prefers-color-scheme:dark){
text.over{fill:#0d1117}
.card{fill:#0d1117;stroke:#3d444d}
text{fill:#f0f6fc}
.dim{fill:#9198a1}
.grid{stroke:#2a313c}
.lead{stroke:#656c76}
.area0{fill:#4493f8}.area1{fill:#ab7df8}.area2{fill:#39c5cf}
.good{fill:#3fb950}.note{fill:#d29922}.bad{fill:#f85149}
.goodline{stroke:#3fb950}.noteline{stroke:#d29922}.badline{stroke:#f85149}
}
`

// neutral is the color that is readable on light and dark pages.
const neutral = "#7d8590"

// canvas collects the elements of a picture.
type canvas struct{ body strings.Builder }

// line draws a line of a class.
func (c *canvas) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(&c.body, "<line class=\"%s\" stroke=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", class, neutral, x1, y1, x2, y2)
}

// box draws a filled rectangle with a tooltip.
func (c *canvas) box(class, tip string, x, y, width, height float64) {
	fmt.Fprintf(&c.body, "<rect class=\"%s\" fill=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\"><title>%s</title></rect>\n",
		class, neutral, x, y, width, height, escaped(tip))
}

// area fills the area below the points, down to y.
func (c *canvas) area(class string, points []point, y float64) {
	if len(points) == 0 {
		return
	}
	fmt.Fprintf(&c.body, "<path class=\"%s\" fill=\"%s\" d=\"M%.1f,%.1f", class, neutral, points[0].x, y)
	for _, p := range points {
		fmt.Fprintf(&c.body, "L%.1f,%.1f", p.x, p.y)
	}
	fmt.Fprintf(&c.body, "L%.1f,%.1fZ\"/>\n", points[len(points)-1].x, y)
}

// text draws a text whose baseline begins at x, or ends there if anchor is "end".
func (c *canvas) text(class, anchor, text string, x, y float64) {
	fmt.Fprintf(&c.body, "<text class=\"%s\" fill=\"%s\" text-anchor=\"%s\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
		class, neutral, anchor, x, y, escaped(text))
}

// write writes the picture, with its title for screen readers.
func (c *canvas) write(w io.Writer, title string, height float64) error {
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%.0f" viewBox="0 0 %d %.0f" role="img">
<title>%s</title>
<style>%s</style>
<rect class="card" fill="none" x="0.5" y="0.5" width="%d" height="%.0f" rx="6"/>
%s</svg>
`, Width, height, Width, height, escaped(title), style, Width-1, height-1, c.body.String())
	return err
}

type point struct{ x, y float64 }

// escaped returns a text for XML, as printable characters.
func escaped(text string) string {
	var out strings.Builder
	_ = xml.EscapeText(&out, []byte(plaintext.Line(text))) // writes to a Builder never fail
	return out.String()
}

// wide returns the width of a text, at least: the fonts of readers differ.
func wide(text string) float64 {
	width := 0.0
	for _, char := range plaintext.Line(text) {
		width += wideChar(char)
	}
	return width
}

// wideChar returns the width of a character.
func wideChar(char rune) float64 {
	if char < 0x370 { // Latin
		return 7.1
	}
	return 13
}

// cut returns a text as plain characters that needs at most the given width.
func cut(text string, width float64) string {
	const more = '…'
	text = plaintext.Line(text)
	if wide(text) <= width {
		return text
	}
	left := width - wideChar(more)
	for i, char := range text {
		if left -= wideChar(char); left < 0 {
			return text[:i] + string(more)
		}
	}
	return text
}

package symbols

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// The places of an address without a symbol: a kernel without KALLSYMS prints it as a frame, others
// if the address is outside of all functions, and old ones before each frame.
var addresses = []*regexp.Regexp{
	regexp.MustCompile(`\[<(?:0x)?([0-9a-f]{8,16})>\]`),
	regexp.MustCompile(`(?:\bRIP: [0-9a-f]{4}:|\b(?:pc|lr|epc|ra) : )0x([0-9a-f]{8,16})\b`),
	regexp.MustCompile(`^(?:.*\])?\s*(?:\? )?0x([0-9a-f]{8,16})\s*$`),
}

// addresses returns the line with the function and the source lines in parentheses after an address
// of the kernel.
func (d *Decoder) addresses(text string) string {
	if !strings.Contains(text, "0x") && !strings.Contains(text, "[<") {
		return text
	}
	for _, form := range addresses {
		at := form.FindStringSubmatchIndex(text)
		if at == nil {
			continue
		}
		address, _ := strconv.ParseUint(text[at[2]:at[3]], 16, 64) // of 16 digits at most
		frame, found := d.kernel.Function(address-d.boots.offset(), !exact.MatchString(text))
		if !found {
			return text
		}
		after := at[3]
		if strings.HasPrefix(text[after:], ">]") {
			after += len(">]")
		}
		words := fmt.Sprintf("%s+%#x/%#x", frame.Symbol, frame.Offset, frame.Size)
		if place := d.kernel.Find(frame); place.Lines != nil {
			words += " " + place.String()
		}
		return fmt.Sprintf("%s (%s)%s", text[:after], words, text[after:])
	}
	return text
}

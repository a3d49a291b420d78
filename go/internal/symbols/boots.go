package symbols

import (
	"regexp"
	"strconv"
	"strings"
)

// boots are the boots in a log, counted by the lines with the kernel's version. The kernel prints
// how far KASLR has moved it only when it panics, after the trace.
type boots struct {
	count   int
	offsets map[int]uint64 // by the number of the boot
}

func newBoots() boots { return boots{offsets: map[int]uint64{}} }

// offset returns how far the kernel of the boot is moved; 0 if this is unknown.
func (b *boots) offset() uint64 { return b.offsets[b.count] }

var (
	versionLine = regexp.MustCompile(`Linux version \S+ \(\S+@.*`)
	offsetLine  = regexp.MustCompile(`Kernel Offset: 0x([0-9a-f]{1,16}) from 0x[0-9a-f]+`)
)

// line reads a line of the log. It returns the version if the line has it, or else "".
func (b *boots) line(text string) (banner string) {
	if strings.Contains(text, "Linux version ") {
		if banner = versionLine.FindString(text); banner != "" {
			b.count++
		}
	}
	if strings.Contains(text, "Kernel Offset: ") {
		if match := offsetLine.FindStringSubmatch(text); match != nil {
			b.offsets[b.count], _ = strconv.ParseUint(match[1], 16, 64) // of 16 digits at most
		}
	}
	return banner
}

// release returns the first words of a banner: "Linux version 6.12.1", and the number and the time
// of the build.
func release(banner string) string {
	version, _, _ := strings.Cut(banner, " (")
	if _, build, found := strings.Cut(banner, " #"); found {
		version += " #" + build
	}
	return version
}

package settings

import "fmt"

// Option returns the QEMU option for a channel as Option does. QEMU gets a -serial for each
// serial port, in the order of Names, so that the second and later ones have their number:
// "-serial #2" is the guest's ttyS1 (COM2).
func (s Settings) Option(name string) string {
	number := 1 // the channel serial is the first one even if it is disabled
	for _, other := range s.Names() {
		switch {
		case Device(other) != "serial" || other == "serial":
		case other == name:
			return fmt.Sprintf("%s #%d", Option(name), number+1)
		default:
			number++
		}
	}
	return Option(name)
}

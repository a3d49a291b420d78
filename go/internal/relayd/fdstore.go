package relayd

import (
	"net"
	"os"

	"golang.org/x/sys/unix"

	"microvm-console/internal/descriptor"
	"microvm-console/internal/loopback"
)

// FDStore keeps file descriptors for the next process that serves the channel, like the
// descriptor store of a service manager. Names are unique among all channels. The zero
// value stores nothing.
type FDStore struct {
	// Kept are the descriptors stored by an earlier process, by name. Those that are used
	// are deleted from the map.
	Kept map[string]*os.File
	// Keep stores a copy of file under name. If nil, nothing is stored.
	Keep func(name string, file *os.File) error
	// Forget removes the descriptor stored under name. It must not be nil unless Keep is.
	Forget func(name string) error
}

// take returns the file stored under name, or nil if there is none. The caller closes it.
func (s FDStore) take(name string) *os.File {
	file := s.Kept[name]
	delete(s.Kept, name)
	return file
}

// forget removes the descriptor stored under name. If that fails, the next process
// ignores it.
func (s FDStore) forget(name string) {
	if s.Forget != nil {
		_ = s.Forget(name)
	}
}

// listen returns the stored listeners that are usable, so that clients can connect during
// a restart. If there are none, it opens listeners and stores them.
func (s FDStore) listen(names []string, usable func(net.Listener) bool, open func() ([]net.Listener, error)) ([]net.Listener, error) {
	var kept []net.Listener
	for _, name := range names {
		file := s.take(name)
		if file == nil {
			continue
		}
		listener, err := net.FileListener(file) // duplicates the descriptor
		file.Close()
		if err == nil && usable(listener) {
			kept = append(kept, listener)
			continue
		}
		if err == nil {
			listener.Close()
		}
		s.forget(name)
	}
	if len(kept) > 0 {
		return kept, nil
	}
	listeners, err := open()
	if err != nil || s.Keep == nil {
		return listeners, err
	}
	for i, listener := range listeners {
		if err := s.keepListener(names[i], listener); err != nil {
			loopback.Close(listeners)
			return nil, err
		}
	}
	return listeners, nil
}

// keepListener stores a listener, in place of an older one of the same name.
func (s FDStore) keepListener(name string, listener net.Listener) error {
	file, err := listener.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		return err
	}
	defer file.Close()
	s.forget(name)
	return s.Keep(name, file)
}

// keepFIFO stores the FIFO at path, so that its content survives the end of the relay. A
// FIFO keeps its content while any descriptor of it is open.
func (s FDStore) keepFIFO(name, path string) error {
	if s.Keep == nil {
		return nil
	}
	if kept := s.take(name); kept != nil {
		defer kept.Close()
		if descriptor.IsAt(kept, path) {
			return nil
		}
		s.forget(name)
	}
	file, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	return s.Keep(name, file)
}

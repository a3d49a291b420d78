package relayd

import (
	"net"
	"os"

	"github.com/hashicorp/go-multierror"
	"golang.org/x/sys/unix"

	"microvm-console/internal/descriptor"
)

// FDStore keeps descriptors for the next process that serves the channel, as the store of
// a service manager does. Names are unique among all channels. The zero FDStore keeps none.
type FDStore struct {
	// Kept is what an earlier process has stored, by name. What is taken is deleted.
	Kept map[string]*os.File
	// Keep stores a copy of file under name. nil: nothing is stored.
	Keep func(name string, file *os.File) error
	// Forget removes what is stored under name. nil if Keep is.
	Forget func(name string) error
}

// take returns what was stored under name; nil if nothing was. The caller closes it.
func (s FDStore) take(name string) *os.File {
	file := s.Kept[name]
	delete(s.Kept, name)
	return file
}

// forget removes what is stored under name. If that fails, the next process drops it.
func (s FDStore) forget(name string) {
	if s.Forget != nil {
		_ = s.Forget(name)
	}
}

// listen returns the stored listeners that are usable, so that a client that connects
// during a restart is not refused. If there are none, it opens listeners and stores them.
func (s FDStore) listen(names []string, usable func(net.Listener) bool, open func() ([]net.Listener, error)) ([]net.Listener, error) {
	var kept []net.Listener
	for _, name := range names {
		file := s.take(name)
		if file == nil {
			continue
		}
		listener, err := net.FileListener(file) // it has a descriptor of its own
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
	var errs *multierror.Error
	for i, listener := range listeners {
		errs = multierror.Append(errs, s.keepListener(names[i], listener))
	}
	if errs.ErrorOrNil() == nil {
		return listeners, nil
	}
	for _, listener := range listeners {
		listener.Close()
	}
	return nil, errs
}

// keepListener stores a listener in the place of an older one of the name.
func (s FDStore) keepListener(name string, listener net.Listener) error {
	file, err := listener.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		return err
	}
	defer file.Close()
	s.forget(name)
	return s.Keep(name, file)
}

// keepFIFO stores the FIFO at path, so that its content outlives the relay too. Any
// descriptor of a FIFO keeps the content for all.
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

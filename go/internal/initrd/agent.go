package initrd

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"

	"github.com/hashicorp/go-multierror"
)

// agentPath is the path of the guest agent in the guest, without the leading slash.
const agentPath = "bin/microvm-agent"

// addAgent adds the guest agent, if the image has one.
func (t tree) addAgent(img Image) error {
	if img.Agent == "" {
		return nil
	}
	program, err := ReadAgent(img.Agent)
	if err != nil {
		return err
	}
	return t.put(Entry{Path: agentPath, Mode: 0o755, Data: program})
}

// ReadAgent returns the guest agent in the file at path. Its error is an *ImageError if the file
// is not a static program.
func ReadAgent(path string) ([]byte, error) {
	program, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("agent: %w (set agent to the path of microvm-agent)", err)
	}
	err = checkStatic(program)
	if errors.Is(err, errDynamic) {
		err = fmt.Errorf("%w (build it with CGO_ENABLED=0 go install ./cmd/microvm-agent)", err)
	}
	if err != nil {
		return nil, &ImageError{multierror.Prefix(err, "agent "+path+":")}
	}
	return program, nil
}

// errDynamic is returned for a program that needs libraries.
var errDynamic = errors.New("dynamically linked, but the image has no libraries")

// checkStatic returns an error unless the program is an ELF file that needs no libraries.
func checkStatic(program []byte) error {
	file, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return fmt.Errorf("not a program: %w", err)
	}
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP {
			return errDynamic
		}
	}
	return nil
}

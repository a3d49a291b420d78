package settings

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/strictjson"
)

// Variable is the environment variable that names the settings file.
const Variable = "QEMU_RELAY_CONFIG"

// system is the settings file for all users of a machine.
const system = "/etc/qemu-relay/config.json"

// file is Settings as they are written. A channel's field that is left out
// stays nil: its default depends on the channel.
type file struct {
	Directory    string              `json:"directory"`
	RetentionMiB int                 `json:"retentionMiB"`
	Boots        int                 `json:"boots"`
	Channels     map[string]declared `json:"channels"`
}

type declared struct {
	Enable *bool `json:"enable"`
	TCP    *int  `json:"tcp"`
	Shared *bool `json:"shared"`
	Input  *bool `json:"input"`
}

// Load reads the settings file at path. Its error has one entry per mistake,
// each naming the file and the field.
func Load(path string) (Settings, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Settings{}, err
	}
	settings, err := Parse(data)
	return settings, multierror.Prefix(err, path+":")
}

// Parse is Load for data that has been read.
func Parse(data []byte) (Settings, error) {
	s := Default()
	read := file{Directory: s.Directory, RetentionMiB: s.RetentionMiB, Boots: s.Boots}
	decoding := strictjson.Decode(data, &read)
	s.Directory, s.RetentionMiB, s.Boots = read.Directory, read.RetentionMiB, read.Boots
	for name, fields := range read.Channels {
		channel := defaultChannel(name)
		set(&channel.Enable, fields.Enable)
		set(&channel.TCP, fields.TCP)
		set(&channel.Shared, fields.Shared)
		set(&channel.Input, fields.Input)
		s.Channels[name] = channel
	}
	if err := strictjson.AllMistakes(decoding, s.validate()); err != nil {
		return Settings{}, err
	}
	return s, nil
}

// set gives field the value that was written, if any was.
func set[T any](field *T, written *T) {
	if written != nil {
		*field = *written
	}
}

// Find loads the settings file at path or, where path is "", the first one
// there is: the one that the environment variable names, which then has to be
// there, ~/.config/qemu-relay/config.json ($XDG_CONFIG_HOME), that in /etc. It
// returns the path of the file, "" where there is none: Default holds.
func Find(path string) (Settings, string, error) {
	if path == "" {
		path = os.Getenv(Variable)
	}
	if path != "" {
		settings, err := Load(path)
		return settings, path, err
	}
	for _, path := range usual() {
		settings, err := Load(path)
		if !errors.Is(err, fs.ErrNotExist) {
			return settings, path, err
		}
	}
	return Default(), "", nil
}

// usual are the places where a settings file may be.
func usual() []string {
	if dir, err := os.UserConfigDir(); err == nil { // a user without a home has none
		return []string{filepath.Join(dir, "qemu-relay", "config.json"), system}
	}
	return []string{system}
}

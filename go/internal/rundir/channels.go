package rundir

import "os"

// RunningChannels returns the user's channels whose relays run, in the order of their names.
func RunningChannels() ([]Channel, error) {
	if err := checkRuntimeDir(); err != nil {
		return nil, err
	}
	if err := ours(channelBase()); err != nil {
		return nil, unlessGone(err)
	}
	entries, err := os.ReadDir(channelBase())
	var running []Channel
	for _, entry := range entries {
		if channel := OfChannel(entry.Name()); entry.IsDir() && channel.Running() {
			running = append(running, channel)
		}
	}
	return running, err
}

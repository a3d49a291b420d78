package guest

// Message returns the kernel's line: "Kernel panic - not syncing: …".
func (s *Suspicion) Message() string { return s.found.Message }

// Device returns the console that shows it.
func (s *Suspicion) Device() string { return s.found.Device }

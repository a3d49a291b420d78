package guest

// Message returns the kernel's line: "Kernel panic - not syncing: …".
func (s *Suspicion) Message() string { return s.found.Message }

// Device returns the device of the console that shows the panic.
func (s *Suspicion) Device() string { return s.found.Device }

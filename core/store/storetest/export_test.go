package storetest

import "time"

// SetPatience sets how long a test waits for something that should happen at once.
func SetPatience(d time.Duration) { patience = d }

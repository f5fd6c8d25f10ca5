package storetest

import "time"

// SetPatience limits how long a store that fails is waited for.
func SetPatience(d time.Duration) { patience = d }

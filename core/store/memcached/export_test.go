package memcached

import "time"

// SetClock sets the store's clock ahead of this machine's.
func (s *Store) SetClock(ahead time.Duration) {
	s.clock = func() time.Time { return time.Now().Add(ahead) }
}

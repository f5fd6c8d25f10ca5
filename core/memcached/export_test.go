package memcached

import "time"

// SetClock makes the store one of a machine whose clock is that far ahead.
func (s *Store) SetClock(ahead time.Duration) {
	s.clock = func() time.Time { return time.Now().Add(ahead) }
}

package main

// semaphore limits how many goroutines do something at the same time.
type semaphore chan struct{}

// acquire waits for a place.
func (s semaphore) acquire() (release func()) {
	s <- struct{}{}
	return func() { <-s }
}

package main

// semaphore limits how many goroutines do something at the same time.
type semaphore chan struct{}

// acquire waits for a place.
func (s semaphore) acquire() (release func()) {
	s <- struct{}{}
	return func() { <-s }
}

// largeAnswer is the size of an answer, in bytes, from which it may have to wait in memory until the web
// server has read a part of it. A smaller one fits into the socket's buffer.
const largeAnswer = 64 << 10

package main

// crowded lets only so many at a time do what would else take all the memory, or all the responders, from
// others.
type crowded chan struct{}

// enter waits for a place, and returns what gives it back.
func (c crowded) enter() (leave func()) {
	c <- struct{}{}
	return func() { <-c }
}

// large is the size of an answer, in bytes, that may wait in memory for a web server to take it. A smaller
// one is in the socket's buffer at once.
const large = 64 << 10

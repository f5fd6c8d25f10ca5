package reactor

import (
	"sync"

	"novcomet/core/hub"
)

// inbox is what other goroutines post to the loop.
type inbox struct {
	wake func() // wakes the loop

	mu     sync.Mutex
	posted messages
	ended  bool // The loop has ended, and wake must not be called.
}

// messages are what was posted since the loop last took the messages.
type messages struct {
	accepted []int // descriptors
	results  []postedResult
	outcomes []outcome
	stop     bool
	close    bool
	any      bool // There is a message, so the loop is awake or about to be.
}

// postedResult is the result for a poll, or for a part of a stream.
type postedResult struct {
	conn   *conn
	result *hub.Result
}

// post adds a message. It wakes the loop only for the first one, because thousands can be posted at the same
// time.
func (i *inbox) post(add func(*messages)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	add(&i.posted)
	if !i.posted.any && !i.ended {
		i.wake()
	}
	i.posted.any = true
}

// take returns the messages, and removes them from the inbox.
func (i *inbox) take() messages {
	i.mu.Lock()
	defer i.mu.Unlock()
	posted := i.posted
	i.posted = messages{}
	return posted
}

// end makes later messages have no effect, and returns those that were not handled.
func (i *inbox) end() messages {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ended = true
	return i.posted
}

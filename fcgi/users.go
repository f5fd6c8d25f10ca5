package main

import "sync"

// users counts the requests that use a policy, so that what it holds can be given back when the last one has ended.
type users struct {
	mu      sync.Mutex // protects the following
	n       int
	retired bool
	last    func() // called once, when it is retired and not used any more
}

// enter counts one more. It reports whether it is still allowed.
func (u *users) enter() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.retired {
		return false
	}
	u.n++
	return true
}

// leave counts one less.
func (u *users) leave() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.n--
	u.check()
}

// retire lets nobody in any more.
func (u *users) retire() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.retired = true
	u.check()
}

// over reports whether it is retired and not used any more.
func (u *users) over() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.retired && u.n == 0
}

func (u *users) check() {
	if u.retired && u.n == 0 && u.last != nil {
		go u.last()
		u.last = nil
	}
}

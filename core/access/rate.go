package access

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rate is how often something may happen. The zero Rate is no limit.
type Rate struct {
	times int
	per   time.Duration
}

// ParseRate reads a rate such as 10/s, 100/m or 1000/h: 1 to 10,000 times a second, minute or hour, without
// leading zeros. "none" is no limit.
func ParseRate(text string) (Rate, error) {
	if text == none {
		return Rate{}, nil
	}
	const most = 10_000
	times, unit, _ := strings.Cut(text, "/")
	n, err := strconv.ParseUint(times, 10, 16)
	per, ok := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit]
	if err != nil || !ok || times[0] == '0' || n > most {
		return Rate{}, fmt.Errorf("%.40q is not a rate such as 10/s, 100/m or 1000/h", text)
	}
	return Rate{int(n), per}, nil
}

// Limiter holds each client address to a [Rate]. As many requests as the rate allows may come at once. The
// zero Limiter is ready to use.
//
// Its memory is bounded: an address that was idle for a full period is dropped, because it may do everything
// again. When there are more than 10,000 addresses, new ones share one allowance.
type Limiter struct {
	mu      sync.Mutex
	windows map[time.Duration]*window
}

// window remembers addresses for one to two periods.
type window struct {
	began             time.Time
	current, previous map[allowance]*rate.Limiter
}

type allowance struct {
	net   netip.Prefix
	times int
}

// maxAddresses is how many addresses are remembered for each period, at some 200 bytes. Two periods are
// remembered.
const maxAddresses = 10_000

// Take uses up one request of the address, an IP address with or without a port, and returns 0. If the rate
// is used up, it uses up nothing and returns how long the client has to wait.
func (l *Limiter) Take(r Rate, address string) (wait time.Duration) {
	if r.times == 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	// The lock is held until the end: a reservation is not given back in full after a later one, and the times
	// must not run backwards.
	now := time.Now()
	reservation := l.limiterLocked(r, networkOf(address), now).ReserveN(now, 1)
	if wait = reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
	}
	return wait
}

func (l *Limiter) limiterLocked(r Rate, net netip.Prefix, now time.Time) *rate.Limiter {
	w := l.windows[r.per]
	if w == nil {
		if l.windows == nil {
			l.windows = map[time.Duration]*window{}
		}
		w = &window{began: now, current: map[allowance]*rate.Limiter{}}
		l.windows[r.per] = w
	}
	if now.Sub(w.began) >= r.per {
		w.began, w.current, w.previous = now, map[allowance]*rate.Limiter{}, w.current
	}
	key := allowance{net, r.times}
	isNew := w.current[key] == nil && w.previous[key] == nil
	if isNew && len(w.current) >= maxAddresses || w.current[key] == nil && len(w.current) >= 2*maxAddresses {
		key.net = netip.Prefix{}
	}
	limiter := w.current[key]
	if limiter == nil {
		if limiter = w.previous[key]; limiter == nil {
			limiter = rate.NewLimiter(rate.Limit(float64(r.times)/r.per.Seconds()), r.times)
		}
		w.current[key] = limiter
	}
	return limiter
}

// networkOf returns the network that one client controls: 64 bits of an IPv6 address, all of an IPv4 address.
// The address may have a port. All texts that are not an address are one network.
func networkOf(address string) netip.Prefix {
	const own4, own6 = 32, 64
	ip, err := netip.ParseAddr(address)
	if err != nil {
		withPort, err := netip.ParseAddrPort(address)
		if err != nil {
			return netip.Prefix{}
		}
		ip = withPort.Addr()
	}
	bits := own6
	if ip = ip.Unmap(); ip.Is4() {
		bits = own4
	}
	net, err := ip.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return net
}

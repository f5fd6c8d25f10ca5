package core

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// ErrRate is what every error of [ParseRate] wraps.
var ErrRate = errors.New("is not a rate")

// Rate is how often something may happen. The zero Rate is no limit.
type Rate struct {
	times int
	per   time.Duration
}

// ParseRate reads a rate such as 10/s, 100/m or 1000/h: 1 to 10,000 times a second, minute or hour, without
// leading zeros.
func ParseRate(text string) (Rate, error) {
	const most = 10_000
	times, unit, _ := strings.Cut(text, "/")
	n, err := strconv.Atoi(times)
	per, ok := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit]
	if err != nil || !ok || !digits(times) || times[0] == '0' || n > most {
		return Rate{}, fmt.Errorf("%.40q %w such as 10/s, 100/m or 1000/h", text, ErrRate)
	}
	return Rate{n, per}, nil
}

// UnmarshalText parses a rate as [ParseRate] does. "none" is no limit.
func (r *Rate) UnmarshalText(text []byte) (err error) {
	if *r = (Rate{}); string(text) == none {
		return nil
	}
	*r, err = ParseRate(string(text))
	return err
}

// limits hold each address to a Rate. As much as the rate allows can come at once; then it goes on as that is used up.
//
// What they remember is bounded: an address that was not heard of for as long as its rate counts has all of it again, and is
// as good as new. Beyond a number of addresses, all others count as one.
type limits struct {
	mu  sync.Mutex
	per map[time.Duration]*generations
}

// generations remember addresses for between one and two times as long as their rate counts.
type generations struct {
	began      time.Time
	young, old map[held]*rate.Limiter
}

// held is who is held to how many times.
type held struct {
	net   netip.Prefix
	times int
}

// maxHeld is how many addresses are remembered in each generation, at some 200 bytes.
const maxHeld = 10_000

// take counts one more of the address. It returns how long it has to wait for that; 0: it need not.
func (l *limits) take(r Rate, address string) time.Duration {
	if r.times == 0 {
		return 0
	}
	now := time.Now()
	l.mu.Lock()
	limiter := l.limiter(r, network(address), now)
	l.mu.Unlock()
	reservation := limiter.ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait > 0 {
		reservation.CancelAt(now)
	}
	return wait
}

func (l *limits) limiter(r Rate, net netip.Prefix, now time.Time) *rate.Limiter {
	g := l.per[r.per]
	if g == nil {
		if l.per == nil {
			l.per = map[time.Duration]*generations{}
		}
		g = &generations{began: now, young: map[held]*rate.Limiter{}}
		l.per[r.per] = g
	}
	if now.Sub(g.began) >= r.per {
		g.began, g.young, g.old = now, map[held]*rate.Limiter{}, g.young
	}
	key := held{net, r.times}
	if g.young[key] == nil && g.old[key] == nil && len(g.young) >= maxHeld {
		key.net = netip.Prefix{}
	}
	limiter := g.young[key]
	if limiter == nil {
		if limiter = g.old[key]; limiter == nil {
			limiter = rate.NewLimiter(rate.Limit(float64(r.times)/r.per.Seconds()), r.times)
		}
		g.young[key] = limiter
	}
	return limiter
}

// network returns whom an address belongs to, as far as can be told: of IPv6 everybody has 64 bits of their own. An
// address with a port is one, too; what is none counts as one address.
func network(address string) netip.Prefix {
	const own4, own6 = 32, 64
	ip, err := netip.ParseAddr(address)
	if err != nil {
		with, err := netip.ParseAddrPort(address)
		if err != nil {
			return netip.Prefix{}
		}
		ip = with.Addr()
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

// seconds returns a time to wait as Retry-After has it.
func seconds(wait time.Duration) string {
	return strconv.Itoa(int(math.Ceil(wait.Seconds())))
}

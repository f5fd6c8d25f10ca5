package sim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"novcomet/core/event"
	"novcomet/core/store"
	"novcomet/core/store/files"
)

// kernel is a store of files in memory. It stamps them as Linux does, follows the rules of package files, and
// records all publications. Its clock is that of the synctest bubble, but it can be set back.
type kernel struct {
	tick    time.Duration // how often the coarse clock advances, which stamps are taken from
	phase   time.Duration // of the ticks within a second
	fine    bool          // A file gets a new stamp for each change after its stamp was read, as since Linux 6.13.
	latency time.Duration // of a check: one half before it reads the clock, the other before it reads the files

	mu           sync.Mutex
	files        map[string]*inode
	floor        time.Time     // Since a fine stamp was given, no coarse one is earlier.
	behind       time.Duration // how far the clock was set back in total
	failed       [2]bool       // for each part of the store
	publications []publication
	outages      []outage
	setbacks     []setback
}

type inode struct {
	mtime, ctime event.Stamp
	wasRead      bool // The stamp was read since the last change.
	content      string
}

// publication is one change of one event, by any program. Its index in the record gives its order.
type publication struct {
	event    string
	at       time.Time   // by the bubble's clock, which is never set back
	clock    event.Stamp // by the kernel's clock
	stamp    event.Stamp
	data     string                 // the content after the change is complete
	inPlace  bool                   // The file was written, not replaced.
	renamed  bool                   // Another program renamed a file over it.
	notified map[*process]time.Time // when each process was notified
}

// part is what can be unreachable.
type part int

const (
	wholeStore part = iota
	dataOnly
)

// outage is a time in which a part of the store cannot be reached.
type outage struct {
	from, until time.Time
	part        part
}

// setback is one time at which the clock was set back.
type setback struct {
	at   time.Time
	by   time.Duration
	over time.Time // when the second in which it was set back has ended for the second time
}

var _ store.Store = (*kernel)(nil)

// Timing is the same as for real files.
func (k *kernel) Timing() store.Timing { return (&files.Store{FineTimestamps: k.fine}).Timing() }

func (k *kernel) Close() error { return nil }

func (k *kernel) Watch(context.Context, store.Interest, func(...event.ID)) error {
	return errors.ErrUnsupported
}

func (k *kernel) Check(_ context.Context, ids []event.ID) (store.Snapshot, error) {
	time.Sleep(k.latency / 2)
	now := k.now().clock
	time.Sleep(k.latency / 2)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failed[wholeStore] {
		return store.Snapshot{}, fmt.Errorf("%w: simulated outage", store.ErrUnavailable)
	}
	snapshot := store.Snapshot{Now: now, Stamps: make([]event.Stamp, len(ids))}
	for i, id := range ids {
		if file := k.files[id.String()]; file != nil {
			file.wasRead = true
			snapshot.Stamps[i] = file.mtime
		}
	}
	snapshot.CorrectNow(k.clockLocked(), k.latency-k.latency/2)
	return snapshot, nil
}

func (k *kernel) Publish(_ context.Context, id event.ID, data []byte) (event.Stamp, error) {
	const far = 2 * time.Second
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failed[wholeStore] {
		return 0, fmt.Errorf("%w: simulated outage", store.ErrUnavailable)
	}
	file := k.fileLocked(id.String())
	file.wasRead = true
	before := file.mtime
	k.setTimeLocked(file)
	if file.mtime <= before && before <= file.mtime.Add(far) {
		file.mtime = before + event.Microsecond
	}
	if data != nil {
		file.content = string(data)
	}
	k.recordLocked(publication{event: id.String(), data: file.content})
	return file.mtime, nil
}

// Data reads a file again after a pause if it may be half written.
func (k *kernel) Data(_ context.Context, ids []event.ID, limit int) ([]store.Content, error) {
	const attempts, pause = 4, time.Millisecond
	time.Sleep(k.latency / 2)
	contents := make([]store.Content, len(ids))
	for i, id := range ids {
		var last inode
		for attempt := range attempts {
			if attempt > 0 {
				time.Sleep(pause)
			}
			file, old, err := k.read(id.String())
			if err != nil {
				return nil, err
			}
			if old || attempt > 0 && file.mtime == last.mtime && file.content == last.content {
				contents[i] = store.Limited([]byte(file.content), limit)
				break
			}
			last = file
		}
	}
	return contents, nil
}

// read returns a copy of the file, and whether its last change is old enough to be complete.
func (k *kernel) read(name string) (file inode, old bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failed[wholeStore] || k.failed[dataOnly] {
		return inode{}, false, fmt.Errorf("%w: simulated outage", store.ErrUnavailable)
	}
	if k.files[name] != nil {
		file = *k.files[name]
	}
	return file, file.mtime.Add(k.Timing().Write) <= k.clockLocked(), nil
}

// touch does what touch(1) does.
func (k *kernel) touch(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	file := k.fileLocked(name)
	k.setTimeLocked(file)
	k.recordLocked(publication{event: name, data: file.content})
}

// touchTo sets the time of a file relative to now, as touch -d does.
func (k *kernel) touchTo(name string, fromNow time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	file := k.fileLocked(name)
	k.setTimeLocked(file)
	file.mtime = k.clockLocked().Add(fromNow)
	k.recordLocked(publication{event: name, data: file.content})
}

// rename writes a file, and renames it over the event's file after some time.
func (k *kernel) rename(name, data string, after time.Duration) {
	written := &inode{content: data}
	k.mu.Lock()
	k.setTimeLocked(written)
	k.mu.Unlock()
	time.Sleep(after)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.files[name] = written
	k.recordLocked(publication{event: name, data: data, renamed: true})
}

// truncate is the first thing that a shell does for "> file".
func (k *kernel) truncate(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	file := k.fileLocked(name)
	file.content = ""
	k.setTimeLocked(file)
	k.recordLocked(publication{event: name, inPlace: true})
}

// write does what write(2) does: first it sets the stamp, then it writes page by page.
func (k *kernel) write(name, data string, begins, takes time.Duration) {
	k.mu.Lock()
	file := k.fileLocked(name)
	k.setTimeLocked(file)
	k.recordLocked(publication{event: name, data: data, inPlace: true})
	k.mu.Unlock()
	time.Sleep(begins)
	k.fill(file, data[:len(data)/2])
	time.Sleep(takes)
	k.fill(file, data)
}

func (k *kernel) fill(file *inode, content string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	file.content = content
}

func (k *kernel) fileLocked(name string) *inode {
	if k.files[name] == nil {
		k.files[name] = &inode{}
	}
	return k.files[name]
}

func (k *kernel) setTimeLocked(file *inode) {
	now := time.Now()
	coarse := now.Add(-k.phase).Truncate(k.tick).Add(k.phase)
	if coarse.Before(k.floor) {
		coarse = k.floor
	}
	stamp := event.StampOf(coarse.Add(-k.behind))
	if k.fine && file.wasRead && stamp <= file.ctime {
		k.floor, stamp = now, k.clockLocked()
	}
	file.mtime, file.ctime, file.wasRead = stamp, stamp, false
}

func (k *kernel) recordLocked(p publication) {
	p.at, p.clock, p.stamp, p.notified = time.Now(), k.clockLocked(), k.files[p.event].mtime, map[*process]time.Time{}
	k.publications = append(k.publications, p)
}

func (k *kernel) clockLocked() event.Stamp { return event.StampOf(time.Now().Add(-k.behind)) }

// instant is a time by both clocks, and the number of publications until then.
type instant struct {
	at           time.Time
	clock        event.Stamp
	publications int
}

// answeredAt returns when an answer was decided: when its first bytes arrived, or now if the server did not
// call Answered.
func answeredAt(began, arrived, now instant) instant {
	if !arrived.at.Before(began.at) {
		return arrived
	}
	return now
}

func (k *kernel) now() instant {
	k.mu.Lock()
	defer k.mu.Unlock()
	return instant{time.Now(), k.clockLocked(), len(k.publications)}
}

func (k *kernel) setClockBack(by time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	end := event.Stamp(k.clockLocked().Second()+1) * event.Second
	k.behind += by
	over := time.Now().Add(end.Sub(k.clockLocked()) + k.Timing().Lag)
	k.setbacks = append(k.setbacks, setback{at: time.Now(), by: by, over: over})
}

func (k *kernel) setFailed(p part, failed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	switch {
	case failed && !k.failed[p]:
		k.outages = append(k.outages, outage{now, now.Add(time.Hour), p})
	case !failed && k.failed[p]:
		for i := range k.outages {
			if o := &k.outages[i]; o.part == p && o.until.After(now) {
				o.until = now
			}
		}
	}
	k.failed[p] = failed
}

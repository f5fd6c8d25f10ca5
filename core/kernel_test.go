package core_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"novcomet/core"
)

// kernel is a Store with the stamps that Linux gives to files and the rules by which Files publishes, by the clock of a
// synctest bubble. It keeps a record of every publication, by whatever means.
type kernel struct {
	tick  time.Duration // how often the coarse clock moves, from which stamps are taken
	phase time.Duration // of the ticks within the second
	fine  bool          // a file that was looked at gets a stamp of its own, as since Linux 6.13
	slow  time.Duration // how long a look takes: half of it before the clock is read, half before the files are

	mu           sync.Mutex
	files        map[string]*inode
	floor        time.Time // no coarse stamp is earlier, once a fine one was given
	back         time.Duration
	gone         [2]bool // the store; its data alone
	publications []publication
	outages      []outage
	setbacks     []setback
}

// inode is one file.
type inode struct {
	stamp, changed core.Stamp // mtime and ctime
	looked         bool       // since it was changed
	content        string
}

// publication is one change of one event. Its index in the record is its place among all that happened.
type publication struct {
	event   string
	at      time.Time  // by the bubble's clock, which is never set back
	clock   core.Stamp // the kernel's clock
	stamp   core.Stamp
	before  core.Stamp
	data    string                 // what the event carries, when it is all there
	inside  bool                   // it was written into the file as it was
	renamed bool                   // another file took its place
	told    map[*process]time.Time // when the Notifier told of it
}

// outage is a time in which the store can't be looked at.
type outage struct {
	from, until time.Time
	ofData      bool // alone
}

// setback is one time when the clock was set back.
type setback struct {
	at   time.Time
	by   time.Duration
	past time.Time // when the second in which it was set back is over for the second time
}

var _ core.Timed = (*kernel)(nil)

// Timing is that of Files.
func (k *kernel) Timing() core.Timing { return (&core.Files{Fine: k.fine}).Timing() }

func (k *kernel) Stamps(_ context.Context, ids []core.ID) (core.Snapshot, error) {
	time.Sleep(k.slow / 2)
	now := k.now()
	time.Sleep(k.slow / 2)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gone[whole] {
		return core.Snapshot{}, fmt.Errorf("%w: it is gone", core.ErrUnavailable)
	}
	snapshot := core.Snapshot{Now: now, Stamps: make([]core.Stamp, len(ids))}
	for i, id := range ids {
		if file := k.files[id.String()]; file != nil {
			file.looked = true
			snapshot.Stamps[i] = file.stamp
		}
	}
	snapshot.Until(k.clock(), k.slow-k.slow/2)
	return snapshot, nil
}

// Publish goes by the rules of Files.
func (k *kernel) Publish(_ context.Context, id core.ID) (core.Stamp, error) {
	const far = 2 * time.Second
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gone[whole] {
		return 0, fmt.Errorf("%w: it is gone", core.ErrUnavailable)
	}
	file := k.file(id.String())
	file.looked = true
	before := file.stamp
	k.touchFile(file)
	if file.stamp <= before && before <= file.stamp.Add(far) {
		file.stamp = before + 1
	}
	k.record(id.String(), before, file.content)
	return file.stamp, nil
}

// touch is what touch(1) does.
func (k *kernel) touch(event string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	file := k.file(event)
	before := file.stamp
	k.touchFile(file)
	k.record(event, before, file.content)
}

// touchTo gives the file any time, as touch -d does.
func (k *kernel) touchTo(event string, fromNow time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	file := k.file(event)
	before := file.stamp
	k.touchFile(file)
	file.stamp = k.clock().Add(fromNow)
	k.record(event, before, file.content)
}

func (k *kernel) file(event string) *inode {
	if k.files[event] == nil {
		k.files[event] = &inode{}
	}
	return k.files[event]
}

// touchFile gives the file the kernel's time.
func (k *kernel) touchFile(file *inode) {
	now := time.Now()
	coarse := now.Add(-k.phase).Truncate(k.tick).Add(k.phase)
	if coarse.Before(k.floor) {
		coarse = k.floor
	}
	stamp := core.StampOf(coarse.Add(-k.back))
	if k.fine && file.looked && stamp <= file.changed {
		k.floor, stamp = now, k.clock()
	}
	file.stamp, file.changed, file.looked = stamp, stamp, false
}

func (k *kernel) record(event string, before core.Stamp, data string) {
	k.publications = append(k.publications, publication{
		event: event, at: time.Now(), clock: k.clock(), stamp: k.files[event].stamp, before: before,
		data: data, told: map[*process]time.Time{},
	})
}

func (k *kernel) clock() core.Stamp { return core.StampOf(time.Now().Add(-k.back)) }

func (k *kernel) now() core.Stamp {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.clock()
}

// count returns how many publications there were so far.
func (k *kernel) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.publications)
}

func (k *kernel) setBack(by time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	from := k.clock()
	k.back += by
	over := time.Duration(from.Second()+1-int64(k.clock()/1_000_000))*time.Second - time.Duration(k.clock()%1_000_000)*time.Microsecond
	k.setbacks = append(k.setbacks, setback{at: time.Now(), by: by, past: time.Now().Add(over + k.Timing().Lag)})
}

// What of the store can be gone.
const (
	whole = iota
	ofData
)

func (k *kernel) setGone(what int, gone bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case gone && !k.gone[what]:
		k.outages = append(k.outages, outage{time.Now(), time.Now().Add(time.Hour), what == ofData})
	case !gone && k.gone[what]:
		for i := range k.outages {
			if o := &k.outages[i]; o.ofData == (what == ofData) && o.until.After(time.Now()) {
				o.until = time.Now()
			}
		}
	}
	k.gone[what] = gone
}

package core_test

import (
	"context"
	"fmt"
	"time"

	"novcomet/core"
)

var _ core.Carrier = (*kernel)(nil)

// PublishData goes by the rules of Files: the file is another one from then on, with all its content.
func (k *kernel) PublishData(ctx context.Context, id core.ID, data []byte) (core.Stamp, error) {
	stamp, err := k.Publish(ctx, id)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil {
		k.file(id.String()).content = string(data)
		k.publications[len(k.publications)-1].data = string(data)
	}
	return stamp, err
}

// rename puts another file in the event's place, which was written some time ago.
func (k *kernel) rename(event, data string, ago time.Duration) {
	written := &inode{content: data}
	k.mu.Lock()
	k.touchFile(written)
	k.mu.Unlock()
	time.Sleep(ago)
	k.mu.Lock()
	defer k.mu.Unlock()
	before := k.file(event).stamp
	k.files[event] = written
	k.record(event, before, data)
	k.publications[len(k.publications)-1].renamed = true
}

// truncate is what a shell does first for > file.
func (k *kernel) truncate(event string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	file := k.file(event)
	before := file.stamp
	file.content = ""
	k.touchFile(file)
	k.record(event, before, "")
	k.publications[len(k.publications)-1].inside = true
}

// write is write(2): the stamp comes first, and the content page by page.
func (k *kernel) write(event, data string, begins, takes time.Duration) {
	k.mu.Lock()
	file := k.file(event)
	before := file.stamp
	k.touchFile(file)
	k.record(event, before, data)
	k.publications[len(k.publications)-1].inside = true
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

// Data goes by the rules of Files.
func (k *kernel) Data(_ context.Context, ids []core.ID, limit int) ([]core.Content, error) {
	const attempts, pause = 4, time.Millisecond
	time.Sleep(k.slow / 2)
	data := make([]core.Content, len(ids))
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
			if old || attempt > 0 && file.stamp == last.stamp && file.content == last.content {
				data[i] = core.Limited([]byte(file.content), limit)
				break
			}
			last = file
		}
	}
	return data, nil
}

// read reads the file, and reports whether it has been like this for some time.
func (k *kernel) read(event string) (file inode, old bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gone[whole] || k.gone[ofData] {
		return inode{}, false, fmt.Errorf("%w: its data is gone", core.ErrUnavailable)
	}
	if k.files[event] != nil {
		file = *k.files[event]
	}
	return file, file.stamp.Add(k.Timing().Write) <= k.clock(), nil
}

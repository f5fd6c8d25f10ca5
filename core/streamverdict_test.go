package core_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// judgeData looks whether the data is that of the stamp that was told, or of a later one.
func (p *playback) judgeData(c *client, q *poll, event string) *violation {
	told := p.told(c, q, event)
	if len(p.setbacks) > 0 { // Then a stamp may be given twice.
		for told = 0; p.publications[told].event != event || !c.says(q.answer.K[event].String(), p.publications[told].stamp); told++ {
		}
	}
	got, any := q.answer.D[event]
	const writing, reading = 40 * time.Millisecond, 12 * time.Millisecond
	for i := q.ended.publications - 1; i >= 0; i-- {
		pub := p.publications[i]
		ago := q.ended.at.Sub(pub.at) - 6*p.slow
		switch {
		case pub.event != event:
		case i < told && any && string(got) == carriedAs(pub.data):
			return &violation{"stale", fmt.Sprintf("%s is what publication %d carried, and %d was told", got, i, told)}
		case i < told:
		case any && string(got) == carriedAs(pub.data), !any && pub.data == "":
			return nil
		case !any && i > told && (pub.inside && ago < writing || ago < reading): // Who knows whether all of it was there?
			return nil
		}
	}
	if !any {
		return &violation{"dataless", fmt.Sprintf("publication %d carried %q", told, p.publications[told].data)}
	}
	return &violation{"torn", fmt.Sprintf("nobody published %s", got)}
}

// carriedAs is how data stands in an answer, of that which is published here.
func carriedAs(data string) string {
	if strings.HasPrefix(data, "{") {
		return data
	}
	text, err := json.Marshal(data)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// judgePart looks whether a stream ended where it had to, and only there.
func (p *playback) judgePart(q *poll) *violation {
	ended := q.ended.at.Sub(q.stream.opened)
	limit := p.history.streams.End
	idle := q.answer.S == 0 && !q.first
	early := idle && q.ended.at.Sub(q.asked.at) < q.wait
	switch {
	case q.stream.begun != q.stream.opened:
		return &violation{"late", fmt.Sprintf("it began after %v", q.stream.begun.Sub(q.stream.opened))}
	case q.last && p.history.streams.Max > 0:
	case q.last && !early && ended < limit:
		return &violation{"ended", fmt.Sprintf("after %v, and nobody wanted it", ended)}
	case !q.last && (early || ended >= limit):
		return &violation{"unended", fmt.Sprintf("a stream was to end after %v", ended)}
	}
	return nil
}

package reactor

import "fmt"

// model predicts what the reactor answers to the bytes of a web server. It is written from the specification,
// and does not use package fastcgi. It expects that nothing is sent after a request without pollVariable
// until that request has been answered.
type model struct {
	limit int // of the variables, and of the body, in bytes

	state modelState
	id    uint16
	keep  bool
	pairs []byte
	named bool // All variables have arrived.
	body  int  // bytes

	kind             byte // of the record whose content arrives
	of               uint16
	content, padding int // bytes of it that are missing

	want   []string // the records that the reactor sends; of output, only that there is some
	closed bool
}

type modelState int

const (
	modelIdle modelState = iota
	modelReading
	modelPolling
)

// pollVariable makes a request a poll, which waits until it is aborted. Other requests are answered at once.
const pollVariable = "P"

// next handles a record, or as much of it as the reactor handles. It returns its length, or 0 if more has to
// arrive first, and whether a request has been completed that is answered at once.
func (m *model) next(sent []byte) (length int, answered bool) {
	const begin, abort = 1, 2
	if m.content > 0 {
		length = min(m.content, len(sent))
		m.content -= length
		if length > 0 {
			m.add(m.kind, m.of, sent[:length])
		}
		return length, false
	}
	if m.padding > 0 {
		length = min(m.padding, len(sent))
		m.padding -= length
		return length, false
	}
	if len(sent) < 8 {
		return 0, false
	}
	kind, id := sent[1], uint16(sent[2])<<8|uint16(sent[3])
	content, padding := int(sent[4])<<8|int(sent[5]), int(sent[6])
	isShort := id == 0 || kind == begin || kind == abort
	switch {
	case sent[0] != 1, isShort && content > 4096:
		m.closed = true
		return 0, false
	case !isShort:
		m.kind, m.of, m.content, m.padding = kind, id, content, padding
		return 8, content == 0 && m.add(kind, id, nil)
	}
	if length = 8 + content + padding; len(sent) < length {
		return 0, false
	}
	m.short(kind, id, sent[8:8+content])
	return length, false
}

// short handles a record that the reactor handles as a whole.
func (m *model) short(kind byte, id uint16, content []byte) {
	const begin, getValues = 1, 9
	isMine := m.state != modelIdle && m.id == id
	switch {
	case id == 0 && kind == getValues:
		if variables, ok := modelPairs(content); ok {
			_, asked := variables["FCGI_MPXS_CONNS"]
			m.expect("values %v", asked)
		}
	case id == 0:
		m.expect("unknown type %d", kind)
	case kind == begin && m.state == modelIdle:
		m.begin(id, content)
	case isMine && m.state == modelReading:
		m.closed = true
	case kind == begin:
		m.expect("end of %d: %d", id, 1)
	case isMine: // aborted
		m.end(0)
	}
}

// add handles the content of a request; nil: the end of its variables or of its body.
func (m *model) add(kind byte, id uint16, content []byte) (answered bool) {
	const params, stdin = 4, 5
	switch {
	case m.state != modelReading || m.id != id:
	case kind == params && m.named, kind == stdin && !m.named:
		m.closed = true
	case kind == params && content == nil:
		m.named = true
	case kind == params:
		m.pairs = append(m.pairs, content...)
	case kind == stdin && content == nil:
		return m.complete()
	case kind == stdin:
		m.body += len(content)
	}
	return false
}

func (m *model) begin(id uint16, content []byte) {
	switch {
	case len(content) < 8:
		m.closed = true
	default:
		m.state, m.id, m.keep = modelReading, id, content[2]&1 == 1
		m.pairs, m.named, m.body = nil, false, 0
		if content[0] != 0 || content[1] != 1 {
			m.end(3)
		}
	}
}

func (m *model) complete() (answered bool) {
	variables, ok := modelPairs(m.pairs)
	if ok && len(m.pairs) <= m.limit && m.body <= m.limit && variables[pollVariable] != "" {
		m.state = modelPolling
		return false
	}
	m.expect("output of %d", m.id)
	m.end(0)
	return true
}

func (m *model) end(status int) {
	m.expect("end of %d: %d", m.id, status)
	m.state, m.closed = modelIdle, !m.keep
}

func (m *model) expect(format string, args ...any) {
	m.want = append(m.want, fmt.Sprintf(format, args...))
}

// modelPairs returns names and values.
func modelPairs(b []byte) (all map[string]string, ok bool) {
	all = map[string]string{}
	for len(b) > 0 {
		var lengths [2]int
		for i := range lengths {
			size := 1
			if len(b) > 0 && b[0]&0x80 != 0 {
				size = 4
			}
			if len(b) < size {
				return nil, false
			}
			for _, digit := range b[:size] {
				lengths[i] = lengths[i]<<8 | int(digit)
			}
			if size == 4 {
				lengths[i] -= 0x80000000
			}
			b = b[size:]
		}
		name, value := lengths[0], lengths[1]
		if len(b) < name+value {
			return nil, false
		}
		all[string(b[:name])] = string(b[name : name+value])
		b = b[name+value:]
	}
	return all, true
}

// describe returns a received record in the words of the model; "": one that belongs to the output before it.
func describe(kind byte, id uint16, content []byte, before string) string {
	output := fmt.Sprintf("output of %d", id)
	switch {
	case kind == 3 && len(content) == 8:
		return fmt.Sprintf("end of %d: %d", id, content[4])
	case kind == 6 && before == output:
		return ""
	case kind == 6:
		return output
	case kind == 10 && id == 0:
		values, ok := modelPairs(content)
		value, asked := values["FCGI_MPXS_CONNS"]
		if ok && (!asked && len(values) == 0 || value == "0" && len(values) == 1) {
			return fmt.Sprintf("values %v", asked)
		}
	case kind == 11 && id == 0 && len(content) == 8:
		return fmt.Sprintf("unknown type %d", content[0])
	}
	return fmt.Sprintf("record of type %d, id %d: %q", kind, id, content)
}

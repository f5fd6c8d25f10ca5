package reactor

import (
	"bytes"

	"novcomet/fcgi/fastcgi"
)

// read reads what has arrived, and handles it.
func (c *conn) read() {
	n, err := c.reactor.system.read(c.fd, c.reactor.buffer[:])
	if err != nil {
		c.fail(err)
		return
	}
	c.handle(c.reactor.buffer[:n])
}

// handle handles the records that have arrived. While something is unsent, further records wait: a web server
// that reads nothing must not cause more answers.
func (c *conn) handle(arrived []byte) {
	in := arrived
	if len(c.partial) > 0 {
		in = append(c.partial, arrived...)
	}
	c.partial = nil
	for len(in) > 0 && c.unsent == nil && c.state != closed {
		used, err := c.handleRecord(in)
		if err != nil {
			c.fail(err)
			return
		}
		if used == 0 {
			break
		}
		in = in[used:]
	}
	if c.state == closed {
		return
	}
	if len(in) > 0 {
		c.partial = bytes.Clone(in) // rule: server-keeps-a-part-of-a-record
	}
	if c.request != nil && c.reactor.receivedIsFull() {
		c.request.Refuse(ErrFull)
	}
	c.countReceived()
	if c.unsent != nil && len(c.partial) > 0 && c.reactor.receivedIsFull() {
		c.fail(ErrFull)
	}
	switch between := c.request == nil && len(in) == 0 && c.content.Content+c.content.Padding == 0; {
	case c.state == idle && !between:
		c.setState(reading)
	// rule: server-keeps-a-connection-after-a-late-record
	case c.state == reading && between && c.keep: // The bytes were of another record, such as a late ABORT_REQUEST.
		c.setState(idle)
	}
}

// countReceived counts the bytes that the connection keeps of its request.
func (c *conn) countReceived() {
	size := len(c.partial)
	if c.request != nil {
		size += c.request.Size()
	}
	c.reactor.received += size - c.counted
	c.counted = size
}

// handleRecord handles a record, or a part of one. It returns how many bytes it used; 0: more must arrive
// first. The content of a request is handled as it arrives. Other records are short, and handled as a whole.
func (c *conn) handleRecord(in []byte) (used int, err error) {
	const longest = 4096 // bytes of the content of a short record
	switch arriving := &c.content; {
	case arriving.Content > 0:
		used = min(arriving.Content, len(in))
		arriving.Content -= used // rule: server-counts-what-has-arrived
		return used, c.add(*arriving, in[:used])
	case arriving.Padding > 0:
		used = min(arriving.Padding, len(in))
		arriving.Padding -= used
		return used, nil
	case len(in) < fastcgi.HeaderLength:
		return 0, nil
	}
	h, ok := fastcgi.ParseHeader(in)
	if !ok && fastcgi.IsHTTP(in[:fastcgi.HeaderLength]) {
		return 0, errHTTP
	}
	isShort := h.ID == 0 || h.Type == fastcgi.BeginRequest || h.Type == fastcgi.AbortRequest
	if !ok || isShort && h.Content > longest {
		return 0, errNotFastCGI
	}
	if !isShort {
		c.content = h
		if h.Content == 0 { // This ends the variables or the body.
			err = c.add(h, nil)
		}
		return fastcgi.HeaderLength, err
	}
	end := fastcgi.HeaderLength + h.Content
	if used = end + h.Padding; len(in) < used {
		return 0, nil
	}
	return used, c.handleShort(h, in[fastcgi.HeaderLength:end])
}

// add adds content to the request. When the request is complete, add opens and serves it. Content of any
// other request is ignored, because that request was refused or has ended.
func (c *conn) add(h fastcgi.Header, content []byte) error {
	if c.request == nil || h.ID != c.id {
		return nil
	}
	complete, err := c.request.Add(h.Type, content, c.reactor.service.Limits().Limits)
	if err != nil || !complete {
		return err
	}
	request := c.request
	c.request = nil
	r := c.reactor
	opened := r.service.Open(request, false)
	if opened.Subscriber == nil && r.receivedIsFull() || opened.Publishes && r.publicationsAreFull() {
		request.Refuse(ErrFull)
		opened = r.service.Open(request, false)
	}
	c.serve(request, opened)
	return nil
}

// handleShort handles a record that begins or aborts a request, or is about the connection.
func (c *conn) handleShort(h fastcgi.Header, content []byte) error {
	isFree := c.request == nil && (c.state == idle || c.state == reading)
	switch {
	case h.ID == 0:
		c.manage(h, content)
	case h.Type == fastcgi.BeginRequest && isFree:
		return c.begin(h.ID, content)
	case h.Type == fastcgi.BeginRequest && c.request != nil && h.ID == c.id:
		return fastcgi.ErrProtocol
	case h.Type == fastcgi.BeginRequest:
		c.send(privateFrame(fastcgi.AppendEnd(nil, h.ID, fastcgi.CannotMultiplex)))
	case h.ID == c.id && !isFree:
		return c.abort()
	}
	return nil
}

// begin begins a request, or refuses it because of its role.
func (c *conn) begin(id uint16, content []byte) error {
	r, ok, err := fastcgi.Begin(id, content)
	if err != nil {
		return err
	}
	c.id, c.keep, c.aborted = id, r.Keep, false
	if !ok {
		c.finish(privateFrame(fastcgi.AppendEnd(nil, id, fastcgi.UnknownRole)))
		return nil
	}
	c.request = r
	return nil
}

// manage answers a record about the connection.
func (c *conn) manage(h fastcgi.Header, content []byte) {
	if h.Type != fastcgi.GetValues {
		c.send(privateFrame(fastcgi.AppendUnknownType(nil, h.Type)))
		return
	}
	asked, err := fastcgi.ParseParams(content)
	if err != nil {
		return
	}
	values := map[string]string{}
	if _, ok := asked["FCGI_MPXS_CONNS"]; ok {
		values["FCGI_MPXS_CONNS"] = "0" // one request at a time
	}
	c.send(privateFrame(fastcgi.AppendRecord(nil, fastcgi.GetValuesResult, 0, fastcgi.AppendParams(nil, values))))
}

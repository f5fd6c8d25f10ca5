package main

import (
	"errors"
	"fmt"

	"novcomet/fcgi/fastcgi"
)

// request is one request as the web server sent it.
type request struct {
	id        uint16
	keep      bool // keep the connection for another request
	variables map[string]string
	body      []byte
	refused   error // why it cannot be served; nil: it can. In both cases it was read to its end.
}

var (
	errNotFastCGI = errors.New("not a FastCGI record")
	errHTTP       = errors.New("HTTP instead of FastCGI")
	errAborted    = errors.New("the web server aborted the request")
	errProtocol   = errors.New("a record out of order")
)

// read reads one request, and answers other records that arrive meanwhile. It returns io.EOF if the
// connection ended between two requests.
//
// read reads a request that exceeds a limit to its end but does not keep it, because a web server that is
// still sending does not read an answer.
func (c *connection) read(limit limits) (*request, error) {
	var r *request
	var names []byte
	var namesDone bool
	for {
		h, err := c.readHeader()
		if err != nil {
			return nil, err
		}
		content, err := c.readContent(h)
		if err != nil {
			return nil, err
		}
		switch {
		case h.ID == 0:
			c.manage(h, content)
		case h.Type == fastcgi.BeginRequest && r == nil:
			r, err = c.begin(h.ID, content)
		case h.Type == fastcgi.BeginRequest && h.ID != r.id:
			c.write(fastcgi.AppendEnd(nil, h.ID, fastcgi.CannotMultiplex))
		case r == nil || h.ID != r.id: // It belongs to a request that was refused.
		case h.Type == fastcgi.AbortRequest:
			return nil, errAborted
		case h.Type == fastcgi.Params && !namesDone && len(content) > 0:
			if len(names)+len(content) > limit.bytes {
				r.refused = fmt.Errorf("the request's variables, which include its query and headers, "+
					"take more than %d bytes (max_request)", limit.bytes)
				continue
			}
			names = append(names, content...)
		case h.Type == fastcgi.Params && !namesDone:
			namesDone = true
			if r.refused == nil {
				r.variables, r.refused = fastcgi.ParseParams(names)
			}
		case h.Type == fastcgi.Stdin && namesDone && len(content) > 0:
			if r.refused == nil && len(r.body)+len(content) > limit.body {
				r.body, r.refused = nil, fmt.Errorf("the request's body takes more than %d bytes", limit.body)
			}
			if r.refused == nil {
				r.body = append(r.body, content...)
			}
		case h.Type == fastcgi.Stdin && namesDone:
			return r, nil
		case h.Type == fastcgi.BeginRequest, h.Type == fastcgi.Params, h.Type == fastcgi.Stdin:
			err = errProtocol
		}
		if err != nil {
			return nil, err
		}
	}
}

func (c *connection) begin(id uint16, content []byte) (*request, error) {
	const bodyLength = 8 // of FCGI_BeginRequestBody
	if len(content) < bodyLength {
		return nil, errProtocol
	}
	if role := int(content[0])<<8 | int(content[1]); role != fastcgi.RoleResponder {
		c.write(fastcgi.AppendEnd(nil, id, fastcgi.UnknownRole))
		return nil, nil
	}
	return &request{id: id, keep: content[2]&fastcgi.FlagKeepConn != 0}, nil
}

// manage answers a record about the connection.
func (c *connection) manage(h fastcgi.Header, content []byte) {
	if h.Type != fastcgi.GetValues {
		c.write(fastcgi.AppendRecord(nil, fastcgi.UnknownType, 0, []byte{byte(h.Type), 0, 0, 0, 0, 0, 0, 0}))
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
	c.write(fastcgi.AppendRecord(nil, fastcgi.GetValuesResult, 0, fastcgi.AppendParams(nil, values)))
}

package fastcgi

import (
	"errors"
	"fmt"
)

// Request is one request as the web server sent it.
type Request struct {
	ID        uint16
	Keep      bool // keep the connection for another request
	Variables map[string]string
	Body      []byte
	Refused   error // why the request is not served; nil: it is served

	params     []byte // until they are complete
	paramsDone bool
	size       int // of params or Variables, and of Body, in bytes as they were received
}

// Limits bound what a [Request] keeps, in bytes.
type Limits struct {
	Params int // of its variables
	Body   int // of its body
}

// ErrProtocol means that a record does not follow the protocol. The connection must be closed.
var ErrProtocol = errors.New("a record out of order")

// Begin reads the content of a [BeginRequest] record. If the role is not [RoleResponder], ok is false.
func Begin(id uint16, content []byte) (r *Request, ok bool, err error) {
	const bodyLength = 8 // of FCGI_BeginRequestBody
	if len(content) < bodyLength {
		return nil, false, ErrProtocol
	}
	role := int(content[0])<<8 | int(content[1])
	return &Request{ID: id, Keep: content[2]&FlagKeepConn != 0}, role == RoleResponder, nil
}

// Add adds the content of a [Params] or [Stdin] record. It reports whether the request is complete.
//
// A request that exceeds a limit is refused, but read to its end, because a web server that is still sending
// does not read an answer.
func (r *Request) Add(t Type, content []byte, limits Limits) (complete bool, err error) {
	switch {
	case t == Params && !r.paramsDone && len(content) > 0:
		r.addParams(content, limits.Params)
	case t == Params && !r.paramsDone:
		r.paramsDone = true
		if r.Refused == nil {
			r.Variables, r.Refused = ParseParams(r.params)
		}
		r.params = nil
	case t == Stdin && r.paramsDone && len(content) > 0:
		r.addBody(content, limits.Body)
	case t == Stdin && r.paramsDone:
		return true, nil
	case t == Params, t == Stdin:
		return false, ErrProtocol
	}
	return false, nil
}

func (r *Request) addParams(content []byte, limit int) {
	switch {
	case r.Refused != nil:
	case len(r.params)+len(content) > limit:
		r.Refuse(fmt.Errorf("the request's variables, which include its query and headers, "+
			"take more than %d bytes (max_request)", limit))
	default:
		r.params = append(r.params, content...)
		r.size += len(content)
	}
}

func (r *Request) addBody(content []byte, limit int) {
	switch {
	case r.Refused != nil:
	case len(r.Body)+len(content) > limit:
		r.Refuse(fmt.Errorf("the request's body takes more than %d bytes", limit))
	default:
		r.Body = append(r.Body, content...)
		r.size += len(content)
	}
}

// Refuse refuses the request. It drops the body and incomplete variables. What arrives of them later is read
// and ignored.
func (r *Request) Refuse(reason error) {
	if r.Refused == nil {
		r.Refused = reason
	}
	r.size -= len(r.params) + len(r.Body)
	r.params, r.Body = nil, nil
}

// Size returns about how many bytes the request keeps.
func (r *Request) Size() int { return r.size }

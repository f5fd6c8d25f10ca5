// Package access decides who may do what. It knows ids, users and sites, but no requests.
package access

// Rules say who may do what at a location. They are made once and shared by many requests. With the zero
// Rules, every client may subscribe to every event and publish every event, by GET and POST. Only a
// publication that a page of another site makes a browser send is refused.
type Rules struct {
	// Subscribe and Publish are the ids that may be subscribed to and published.
	Subscribe, Publish Patterns
	// Methods are the HTTP methods that publish, of GET and POST. PUT needs POST. HEAD publishes nothing; it is
	// answered as if it did, and needs GET. nil: both; empty: none.
	Methods []string
	// Origins are other sites whose pages may publish, and read what every client may subscribe to.
	Origins Origins
	// Signed are ids that need a token, in addition to Subscribe.
	Signed Signed
	// Rate is how often each client address may publish. Locations with the same Rate are counted together.
	Rate Rate
	// Formats are the formats that a stream may have besides Native.
	Formats []Format
	// Elsewhere matches the ids that visitors may publish at another URL; nil: none. Streams in one of the
	// Formats must not have these events.
	Elsewhere Matcher
}

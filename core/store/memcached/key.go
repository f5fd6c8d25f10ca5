package memcached

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"novcomet/core/event"
)

// maxKey is memcached's limit for the length of a key, in bytes.
const maxKey = 250

// keyOf returns the key of an event: the prefix and the id. A space of the id is written %20 and a percent
// sign %25, because keys have no spaces. (Ids have no control characters.)
//
// If that is too long for a key, the key is the prefix, "%sha256:" and the SHA-256 of the id in lower-case
// hexadecimal digits. No other id has this key, because in other keys a digit follows each percent sign.
func keyOf(prefix string, id event.ID) string {
	key := prefix + escaper.Replace(id.String())
	if len(key) <= maxKey {
		return key
	}
	sum := sha256.Sum256([]byte(id.String()))
	return prefix + "%sha256:" + hex.EncodeToString(sum[:])
}

var escaper = strings.NewReplacer(" ", "%20", "%", "%25")

// invalidInKey reports whether the character cannot be part of a key.
func invalidInKey(r rune) bool { return r <= ' ' || r == 0x7f }

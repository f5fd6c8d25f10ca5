package memcached

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"novcomet/core"
)

// maxKey is memcached's own limit, in bytes.
const maxKey = 250

// keyOf returns the key of an event: the prefix and the id, in which a space is written %20 and a percent sign %25, for
// memcached's keys have no spaces. (Control characters, which they have not either, no id has.)
//
// An id with so many of them that this becomes too long for a key is the prefix, "%sha256:" and the SHA-256 of the id in small
// hexadecimal digits. No other id has such a key, for in theirs a percent sign is always followed by a digit.
func keyOf(prefix string, id core.ID) string {
	key := prefix + escaped.Replace(id.String())
	if len(key) <= maxKey {
		return key
	}
	sum := sha256.Sum256([]byte(id.String()))
	return prefix + "%sha256:" + hex.EncodeToString(sum[:])
}

var escaped = strings.NewReplacer(" ", "%20", "%", "%25")

// notInKey reports whether memcached would take the character for the end of a key.
func notInKey(r rune) bool { return r <= ' ' || r == 0x7f }

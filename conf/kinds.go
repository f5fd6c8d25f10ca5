package conf

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"novcomet/core/access"
)

// A kind is the type and the range of a key's values.
type kind struct {
	allowed string // completes "give …" in a message

	// parse parses a text, or the []string of a YAML list. An error begins with the quoted value.
	parse func(value any) (any, error)
}

// scalar is a kind whose values are not lists. parse also reports whether the text is of the type, and
// whether the value is in the range.
func scalar(allowed, typeName string, parse func(text string) (value any, ofType, inRange bool)) kind {
	return kind{allowed, func(value any) (any, error) {
		text, isText := value.(string)
		if !isText {
			return nil, errors.New("a list is not allowed")
		}
		parsed, ofType, inRange := parse(text)
		switch {
		case !ofType:
			return nil, fmt.Errorf("%s is not %s", quote(text), typeName)
		case !inRange:
			return nil, fmt.Errorf("%s is not allowed", quote(text))
		}
		return parsed, nil
	}}
}

// number is a whole number. Its message begins with the unit, such as "bytes, ".
func number(unit string, low, high int) kind {
	return scalar(fmt.Sprintf("%sa whole number from %d to %d", unit, low, high), "a whole number",
		func(text string) (any, bool, bool) {
			n, err := strconv.Atoi(text)
			return n, isNumber(err), low <= n && n <= high
		})
}

// octalMode is a mode that lets the owner read and write, and makes nothing executable or setuid. 664, 0664
// and 0o664 are the same mode.
func octalMode() kind {
	return scalar(`an octal mode such as "0660", from "0600" to "0666", that includes 0600`, "an octal mode",
		func(text string) (any, bool, bool) {
			n, err := strconv.ParseUint(strings.TrimPrefix(text, "0o"), 8, 32)
			mode := fs.FileMode(n)
			return mode, isNumber(err), mode&0o600 == 0o600 && mode&^0o666 == 0
		})
}

// isNumber reports whether strconv has parsed a number. For one that is too large for the type, strconv
// returns the nearest one, which no range includes. A number that wraps around might be in the range.
func isNumber(err error) bool { return err == nil || errors.Is(err, strconv.ErrRange) }

// duration is a duration, or 0 if the message begins with what 0 means.
func duration(zero, low, high string) kind {
	from, _ := parseDuration(low)
	to, _ := parseDuration(high)
	return scalar(zero+"seconds (2, 0.5) or a unit (500ms, 1m), from "+low+" to "+high, "a duration",
		func(text string) (any, bool, bool) {
			d, ok := parseDuration(text)
			return d, ok, from <= d && d <= to || d == 0 && zero != ""
		})
}

// parseDuration accepts seconds, and what [time.ParseDuration] accepts.
func parseDuration(text string) (time.Duration, bool) {
	seconds, err := strconv.ParseFloat(text, 64)
	if !isNumber(err) {
		d, err := time.ParseDuration(text)
		return d, err == nil
	}
	const longest = 200 * 365 * 24 * 3600 // seconds; a longer time might not fit into a Duration
	seconds = min(max(seconds, -longest), longest)
	return time.Duration(math.Round(seconds * float64(time.Second))), !math.IsNaN(seconds)
}

// boolean is a word of YAML 1.1, in small letters.
func boolean(allowed string) kind {
	return scalar(allowed, "a boolean", func(text string) (any, bool, bool) {
		isTrue := slices.Contains([]string{"true", "yes", "on"}, text)
		return isTrue, isTrue || slices.Contains([]string{"false", "no", "off"}, text), true
	})
}

func rate() kind {
	return scalar("1 to 10000 per second, minute or hour, such as 10/s, 100/m, 1000/h, or none",
		"a rate such as 10/s, 100/m or 1000/h", func(text string) (any, bool, bool) {
			r, err := access.ParseRate(text)
			return r, err == nil, true
		})
}

func text(allowed string, valid func(string) bool) kind {
	return scalar(allowed, "", func(text string) (any, bool, bool) { return text, true, valid(text) })
}

func textOrNothing(allowed string, valid func(string) bool) kind {
	return text(allowed+", or nothing", func(s string) bool { return s == "" || valid(s) })
}

func oneOf(words ...string) kind {
	last := len(words) - 1
	return text(strings.Join(words[:last], ", ")+" or "+words[last],
		func(s string) bool { return slices.Contains(words, s) })
}

// list is a list of at least that many texts.
func list(allowed string, least int, valid func(element string) bool) kind {
	return listOf(allowed, func(elements []string) ([]string, error) {
		for _, e := range elements {
			if !valid(e) {
				return nil, fmt.Errorf("%s is not allowed", quote(e))
			}
		}
		if len(elements) < least {
			return nil, errors.New("the empty list is not allowed")
		}
		return elements, nil
	})
}

// listOf is a list that core parses. In a YAML list, commas and "none" have no special meaning.
func listOf[T any](allowed string, parse func([]string) (T, error)) kind {
	return kind{allowed, func(value any) (any, error) {
		if elements, ok := value.([]string); ok {
			return parse(elements)
		}
		elements, err := access.ParseList(value.(string))
		if err != nil {
			return nil, err
		}
		return parse(elements)
	}}
}

func patterns[T any](example string, parse func([]string) (T, error)) kind {
	return listOf("patterns of ids, separated by commas, such as news, chat-*, "+example+`; "*" for all; or none`,
		parse)
}

func isPath(s string) bool { return filepath.IsAbs(s) && isShort(s, 4095) }

func isName(s string) bool { return isShort(s, 256) }

func isPrefix(s string) bool { return isShort(s, 40) && !strings.ContainsFunc(s, unicode.IsSpace) }

// isShort reports whether a text has at most that many bytes and no control characters.
func isShort(s string, most int) bool {
	return len(s) <= most && !strings.ContainsFunc(s, unicode.IsControl)
}

// isMethod reports whether a method can publish. HEAD and OPTIONS are answered, but never publish.
func isMethod(s string) bool { return s == http.MethodGet || s == http.MethodPost }

func isAddress(s string) bool {
	path, isSocket := strings.CutPrefix(s, "unix:")
	// sockaddr_un has 108 bytes, the last one is NUL.
	return isSocket && isPath(path) && len(path) <= 107 || isHostAndPort(s)
}

func isHostAndPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	n, wrong := strconv.ParseUint(port, 10, 16)
	return err == nil && wrong == nil && n > 0 && host != "" &&
		!strings.ContainsFunc(host, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) || r == '/' })
}

// isGroup accepts almost any name, because a directory service may have rules of its own. A number must be a
// group id: 4294967295 is -1 to the kernel and would change nothing.
func isGroup(s string) bool {
	if strings.Trim(s, "0123456789") == "" {
		n, err := strconv.ParseUint(s, 10, 32)
		return err == nil && n < math.MaxUint32
	}
	return isName(s) && !strings.ContainsAny(s[:1], "+-") && !strings.ContainsAny(s, ":,/")
}

// quote shows a value in one line and in at most about 100 characters.
func quote(value string) string {
	const most = 100
	if len(value) > most {
		return strconv.Quote(value[:most]) + "…"
	}
	return strconv.Quote(value)
}

// show returns a text or a list of texts in one line, and shortens nothing. It quotes the elements of a list,
// and a text with characters that cannot be printed.
func show(value any) string {
	list, ok := value.([]string)
	if !ok {
		text := value.(string)
		if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return strconv.Quote(text)
		}
		return text
	}
	quoted := make([]string, len(list))
	for i, text := range list {
		quoted[i] = strconv.Quote(text)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

package conf

import (
	"io/fs"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/pkg/errors"
)

// strictly makes mapstructure accept only values of the right form. By default it reads "" as 0 and accepts a number
// where text is required.
func strictly(d *mapstructure.DecoderConfig) {
	d.DecodeHook = mapstructure.DecodeHookFuncType(fromText)
	d.WeaklyTypedInput = false
	d.ErrorUnused = true
	d.ZeroFields = true // a list must not be written into the array of another Config's list
}

// fromText converts the text of a value to the type of its field.
func fromText(_, to reflect.Type, value any) (any, error) {
	text, ok := value.(string)
	if !ok {
		return value, nil
	}
	switch to {
	case reflect.TypeFor[int]():
		return whole(text)
	case reflect.TypeFor[bool]():
		return truth(text)
	case reflect.TypeFor[time.Duration]():
		return duration(text)
	case reflect.TypeFor[fs.FileMode]():
		return mode(text)
	case reflect.TypeFor[[]string]():
		return elements(text)
	}
	return value, nil
}

// whole, duration and mode return the nearest possible value for one that is too large for the type. It is then out of
// range, and can't wrap around into it.

func whole(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, errors.New("is not a whole number")
	}
	return n, nil
}

// truth reads the words of YAML 1.1, in small letters.
func truth(text string) (bool, error) {
	switch text {
	case "true", "yes", "on":
		return true, nil
	case "false", "no", "off":
		return false, nil
	}
	return false, errors.New("is not a boolean")
}

func duration(text string) (time.Duration, error) {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		d, err := time.ParseDuration(text)
		if err != nil {
			return 0, errors.New("is not a duration")
		}
		return d, nil
	}
	nanoseconds := math.Round(seconds * float64(time.Second))
	switch {
	case math.IsNaN(nanoseconds):
		return 0, errors.New("is not a duration")
	case nanoseconds >= math.MaxInt64:
		return math.MaxInt64, nil
	case nanoseconds <= math.MinInt64:
		return math.MinInt64, nil
	}
	return time.Duration(nanoseconds), nil
}

// mode reads 664, 0664 and 0o664 as the same thing, quoted or not.
func mode(text string) (fs.FileMode, error) {
	m, err := strconv.ParseUint(strings.TrimPrefix(text, "0o"), 8, 32)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, errors.New("is not an octal mode")
	}
	return fs.FileMode(m), nil
}

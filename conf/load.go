package conf

import (
	"github.com/pkg/errors"
	"github.com/spf13/viper"
)

// Load reads the configuration. An error is one line that names the file, the variable or the
// flag, the key, the value and what is allowed.
func Load(from Source) (Config, error) {
	l, err := Read(from)
	return l.Config, err
}

// Loaded is a configuration that was read, and how to read it again.
type Loaded struct {
	Config
	from   Source
	file   file
	layers []layer // strongest first, without the defaults
}

// Read is [Load] for a program that reads the configuration again later.
func Read(from Source) (Loaded, error) {
	file, err := from.find()
	if err != nil {
		return Loaded{}, err
	}
	return from.load(file)
}

// Again reads the same file again, also if it was found by a search: another file may allow more. A file that is the beginning
// of the one that l was read from is an error, and so is one that no longer sets a key that restricts: it has probably been cut.
func (l Loaded) Again() (Loaded, error) {
	if l.file.path == "" {
		return l.from.load(file{})
	}
	f, err := read(l.file.path)
	if err != nil {
		return Loaded{}, err
	}
	if f.isCutFrom(l.file) {
		return Loaded{}, errors.Errorf("%s: is only the beginning of the file in force, so it may have been cut: "+
			"if you have removed its end, add a comment line at the end", f.path)
	}
	again, err := l.from.load(f)
	if err != nil {
		return Loaded{}, err
	}
	for _, key := range []string{"publish.allow", "publish.methods", "publish.rate", "subscribe.allow", "subscribe.signed"} {
		if l.Sets(key) && !again.Sets(key) {
			return Loaded{}, errors.Errorf("%s: no longer sets %s, so it may have been cut: set it, also where you want the default", f.path, key)
		}
	}
	return again, nil
}

// File is the path of the file that was read, "" if there is none.
func (l Loaded) File() string { return l.file.path }

// Sets reports whether the file, the environment or a flag sets the key.
func (l Loaded) Sets(key string) bool {
	for _, layer := range l.layers {
		if _, ok := layer.values[key]; ok {
			return true
		}
	}
	return false
}

func (s Source) load(f file) (Loaded, error) {
	file, err := f.layer()
	if err != nil {
		return Loaded{}, err
	}
	environment, err := s.environment()
	if err != nil {
		return Loaded{}, err
	}
	flags, err := s.flags()
	if err != nil {
		return Loaded{}, err
	}

	// viper gets each value as the text in which it was written, and the layers are kept here. If viper read the file
	// itself, `sleep: 2` would be two nanoseconds, 0664 would be 436, and an error could not name the layer of the value.
	v := viper.New()
	defaults := shipped()
	for key, value := range defaults.values {
		v.SetDefault(key, value)
	}
	for _, over := range []layer{file, environment} {
		if err := v.MergeConfigMap(over.values); err != nil {
			return Loaded{}, errors.Wrap(err, "configuration")
		}
	}
	for key, value := range flags.values {
		v.Set(key, value)
	}

	l := Loaded{from: s, file: f, layers: []layer{flags, environment, file}}
	err = v.UnmarshalExact(&l.Config, strictly)
	if err := check(l.Config, err, flags, environment, file, defaults); err != nil {
		return Loaded{}, err
	}
	return l, nil
}

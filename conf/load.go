package conf

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	pkgerrors "github.com/pkg/errors"
	"github.com/spf13/viper"

	"novcomet/core/cgienv"
)

// Source says where the settings come from. The zero Source is the defaults and the comet.yaml beside the
// program or in /etc/novcomet.
type Source struct {
	// File is the file that --config names. If File is empty, the first of these is read: the file that
	// COMET_CONFIG names, comet.yaml beside the program, /etc/novcomet/comet.yaml. A file that is named must
	// exist; [os.DevNull] means no file. Without a name there may be no file.
	File string

	// Environ is the environment, as [os.Environ] returns it. An unknown COMET_* is an error.
	Environ []string

	// Flags has the keys that are set on the command line: "listen" for --listen. An empty value is a value.
	Flags map[string]string
}

// Load reads the settings. An error is one line. It names the file, the variable or the flag, the key, the
// value and what is allowed.
func Load(from Source) (Config, error) {
	l, err := Read(from)
	return l.Config, err
}

// Loaded is the settings that [Read] returns. They can be read again.
type Loaded struct {
	Config
	source Source
	file   file
	viper  *viper.Viper      // has the value of each key: a text or a list of texts; after decode, it is parsed
	setBy  map[string]string // by key: the file, the variable or the flag that sets it
}

// Read is [Load] for a program that reads the settings again later.
func Read(from Source) (Loaded, error) {
	f, err := from.findFile()
	if err != nil {
		return Loaded{}, err
	}
	return from.load(f)
}

// restrictions are the keys that restrict who may do what. If a reload no longer sets one of them, the file
// has probably been cut.
var restrictions = []string{"publish.allow", "publish.methods", "publish.rate", "subscribe.allow", "subscribe.signed"}

// Again reads the same file again. It does not search for a file, because another one may allow more. It is
// an error if the file is only the beginning of the file in force, or no longer sets a key that restricts: it
// may have been cut.
func (l Loaded) Again() (Loaded, error) {
	f, err := readFile(cmp.Or(l.file.path, os.DevNull))
	if err != nil {
		return Loaded{}, err
	}
	if len(f.text) < len(l.file.text) && bytes.HasPrefix(l.file.text, f.text) {
		return Loaded{}, fmt.Errorf("%s: is only the beginning of the file in force, so it may have been cut: "+
			"if you have removed its end, add a comment line at the end", f.path)
	}
	again, err := l.source.load(f)
	if err != nil {
		return Loaded{}, err
	}
	for _, name := range restrictions {
		if l.Sets(name) && !again.Sets(name) {
			return Loaded{}, fmt.Errorf("%s: no longer sets %s, so it may have been cut: "+
				"set it, also where you want the default", f.path, name)
		}
	}
	return again, nil
}

// File is the path of the file that was read, "" if there is none.
func (l Loaded) File() string { return l.file.path }

// Sets reports whether the file, the environment or a flag sets the key.
func (l Loaded) Sets(name string) bool { return l.setBy[name] != "" }

// RestartKeys returns the keys that next sets to another value and that only a restart applies, and those of
// them that choose or configure the store.
func (l Loaded) RestartKeys(next Loaded) (names, store []string) {
	for _, k := range keys {
		if k.scope > restart || reflect.DeepEqual(l.viper.Get(k.name), next.viper.Get(k.name)) {
			continue
		}
		names = append(names, k.name)
		if k.scope == ofStore {
			store = append(store, k.name)
		}
	}
	return names, store
}

// fromDefault is the From of a value that nothing sets.
const fromDefault = "default"

// Value is the value of a key and where it was set.
type Value struct {
	Key   string `json:"key"`
	Value string `json:"value"` // whole, in one line
	// "default", "/etc/novcomet/comet.yaml", "environment variable COMET_TRIES", "flag --listen"
	From string `json:"from"`
}

// Explain returns the value of every key, in the order of comet.yaml, and where it was set; and the path of
// the file, "" if there is none. Like [Load] it fails if a file cannot be read or a name is unknown, but not
// if a value is not allowed.
func Explain(from Source) (values []Value, path string, err error) {
	f, err := from.findFile()
	if err != nil {
		return nil, "", err
	}
	l, err := from.collect(f)
	if err != nil {
		return nil, f.path, err
	}
	for _, k := range keys {
		values = append(values, Value{k.name, show(l.viper.Get(k.name)), cmp.Or(l.setBy[k.name], fromDefault)})
	}
	return values, f.path, nil
}

func (s Source) load(f file) (Loaded, error) {
	l, err := s.collect(f)
	if err == nil {
		err = l.decode()
	}
	if err != nil {
		return Loaded{}, err
	}
	return l, nil
}

// collect returns what is set, before it is decoded. For each key, viper prefers the flag and the variable to
// the file, and the file to the default.
func (s Source) collect(f file) (Loaded, error) {
	l := Loaded{source: s, file: f, viper: viper.New(), setBy: map[string]string{}}
	for _, k := range keys {
		l.viper.SetDefault(k.name, k.initial)
	}
	variables := s.variables()
	if _, ok := variables[cgienv.UserVariable]; ok {
		return Loaded{}, fmt.Errorf("environment variable %s: only a web server can set it, for a location: "+
			"in the environment it would make every visitor this user", cgienv.UserVariable)
	}
	if err := l.setVariables("environment variable", variables, ofStore); err != nil {
		return Loaded{}, err
	}
	for _, name := range slices.Sorted(maps.Keys(s.Flags)) {
		if _, ok := byName[name]; !ok {
			return Loaded{}, fmt.Errorf("flag --%s: unknown key %s", name, suggest(name, namesOf("")))
		}
		l.set(name, s.Flags[name], "flag --"+name)
	}
	if f.path == "" {
		return l, nil
	}
	values, err := readYAML(f.text)
	if err != nil {
		return Loaded{}, fmt.Errorf("%s: %w", f.path, err)
	}
	for name := range values {
		l.setBy[name] = cmp.Or(l.setBy[name], f.path)
	}
	return l, pkgerrors.Wrap(l.viper.MergeConfigMap(values), f.path)
}

// variables returns the environment by name.
func (s Source) variables() map[string]string {
	variables := map[string]string{}
	for _, variable := range s.Environ {
		name, value, _ := strings.Cut(variable, "=")
		variables[name] = value
	}
	return variables
}

// setVariables sets the keys of variables. Every unknown COMET_* is an error, also an empty one: it may be a
// misspelt restriction. A key whose scope is below least is an error unless its variable is empty. An empty
// variable sets nothing.
func (l *Loaded) setVariables(noun string, variables map[string]string, least scope) error {
	for _, name := range slices.Sorted(maps.Keys(variables)) { // Of two errors, the same one is returned each time.
		k, ok := byVariable[name]
		switch {
		case !IsSetting(name):
		case !ok && name != fileVariable:
			return fmt.Errorf("unknown %s %s", noun, suggest(name, append(variablesFor(least), cgienv.UserVariable)))
		case variables[name] == "":
		case k.scope < least:
			return fmt.Errorf("%s %s cannot be set for a location: only %s can",
				noun, name, strings.Join(variablesFor(least), ", "))
		case ok:
			l.set(k.name, variables[name], noun+" "+name)
		}
	}
	return nil
}

// set gives a key the text of a variable or a flag. viper.BindEnv would read the environment of this process
// only, not the variables of a location.
func (l *Loaded) set(name, text, by string) {
	l.viper.Set(name, text)
	l.setBy[name] = by
}

// decode parses the values that are set, sets their fields, and reads the file of secrets if it is set.
func (l *Loaded) decode() error {
	for _, k := range keys {
		value := l.viper.Get(k.name)
		if value == nil { // A location has no defaults.
			continue
		}
		parsed, err := k.kind.parse(value)
		if err != nil {
			return l.refuse(k.name, err)
		}
		l.viper.Set(k.name, parsed)
	}
	err := l.viper.UnmarshalExact(&l.Config, func(d *mapstructure.DecoderConfig) {
		d.ZeroFields = true // A list must not be written into the array of another Config's list.
	})
	if err == nil && l.Sets("subscribe.secret_file") {
		return l.readSecrets()
	}
	return pkgerrors.Wrap(err, "settings")
}

// refuse completes an error about the value of a key: it adds where the key is set and what is allowed.
func (l *Loaded) refuse(name string, err error) error {
	err = fmt.Errorf("%s: %w: give %s", name, err, Allowed(name))
	if l.Sets(name) {
		err = fmt.Errorf("%s: %w", l.setBy[name], err)
	}
	return err
}

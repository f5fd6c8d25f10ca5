package conf

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
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
	viper  *viper.Viper
	bound  map[string]binding
}

// Read is [Load] for a program that reads the settings again later.
func Read(from Source) (Loaded, error) {
	f, err := from.findFile()
	if err != nil {
		return Loaded{}, err
	}
	return from.load(f)
}

// restrictions are the keys that restrict who may do what. If a reload misses one, the file has probably been
// cut.
var restrictions = []string{"publish.allow", "publish.methods", "publish.rate", "subscribe.allow", "subscribe.signed"}

// Again reads the same file again. It does not search for a file, because another one may allow more. It is
// an error if the file is only the beginning of the file in force, or no longer sets a key that restricts: it
// may have been cut.
func (l Loaded) Again() (Loaded, error) {
	f, err := file{}, error(nil)
	if l.file.path != "" {
		f, err = readFile(l.file.path)
	}
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
func (l Loaded) Sets(name string) bool { return l.origin(name) != fromDefault }

// RestartKeys returns the keys that next sets to another value and that only a restart applies.
func (l Loaded) RestartKeys(next Loaded) (names []string) {
	for _, k := range keys {
		before, _ := k.kind.parse(l.viper.Get(k.name)) // All values are valid: they have been decoded.
		after, _ := k.kind.parse(next.viper.Get(k.name))
		if k.scope == restart && !reflect.DeepEqual(before, after) {
			names = append(names, k.name)
		}
	}
	return names
}

// fromDefault is the From of a value that nothing sets.
const fromDefault = "default"

// Value is the value of a key and where it was set.
type Value struct {
	Key   string `json:"key"`
	Value string `json:"value"` // as it was written, in one line
	// "default", "/etc/novcomet/comet.yaml", "environment variable COMET_TRIES", "flag --listen"
	From string `json:"from"`
}

// Explain returns the value of every key, in the order of comet.yaml, and where it was set; and the path of
// the file, "" if there is none. Like [Load] it fails if a file can't be read or a name is unknown, but not
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
		values = append(values, Value{k.name, strings.Trim(format(l.viper.Get(k.name)), `"`), l.origin(k.name)})
	}
	return values, f.path, nil
}

func (s Source) load(f file) (Loaded, error) {
	l, err := s.collect(f)
	if err != nil {
		return Loaded{}, err
	}
	if err := l.decode(); err != nil {
		return Loaded{}, err
	}
	if err := l.readSecrets(); err != nil {
		return Loaded{}, err
	}
	return l, nil
}

// collect returns what is set, before it is decoded. viper decides which value of a key counts.
func (s Source) collect(f file) (Loaded, error) {
	bound, err := s.bindings()
	if err != nil {
		return Loaded{}, err
	}
	l := Loaded{source: s, file: f, viper: newViper(bound), bound: bound}
	for _, k := range keys {
		l.viper.SetDefault(k.name, k.initial)
	}
	if f.path == "" {
		return l, nil
	}
	values, err := readYAML(f.text)
	if err != nil {
		return Loaded{}, fmt.Errorf("%s: %w", f.path, err)
	}
	return l, pkgerrors.Wrap(l.viper.MergeConfigMap(values), f.path)
}

// bindings returns what the environment and the flags set.
func (s Source) bindings() (map[string]binding, error) {
	variables := map[string]string{}
	for _, variable := range s.Environ {
		name, value, _ := strings.Cut(variable, "=")
		variables[name] = value
	}
	if _, ok := variables[cgienv.UserVariable]; ok {
		return nil, fmt.Errorf("environment variable %s: only a web server can set it, for a location: "+
			"in the environment it would make every visitor this user", cgienv.UserVariable)
	}
	delete(variables, fileVariable)
	bound, err := bindVariables("environment variable", variables, restart)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(s.Flags)) {
		if _, ok := keyByName(name); !ok {
			return nil, fmt.Errorf("flag --%s: unknown key %s", name, suggest(name, namesOf("")))
		}
		bound[name] = binding{name, s.Flags[name], "flag --" + name}
	}
	return bound, nil
}

// bindVariables returns what the variables set. Every unknown COMET_* is an error, also an empty one: it may
// be a misspelt restriction. A key of a smaller scope is an error unless its variable is empty. An empty
// variable sets nothing.
func bindVariables(noun string, variables map[string]string, least scope) (map[string]binding, error) {
	bound := map[string]binding{}
	for _, name := range slices.Sorted(maps.Keys(variables)) { // Of two errors, the same one is returned each time.
		if !IsSetting(name) {
			continue
		}
		k, ok := keyByVariable(name)
		switch {
		case !ok && name != fileVariable:
			return nil, fmt.Errorf("unknown %s %s", noun, suggest(name, append(variablesFor(least), cgienv.UserVariable)))
		case variables[name] == "":
		case k.scope < least:
			return nil, fmt.Errorf("%s %s cannot be set for a location: only %s can",
				noun, name, strings.Join(variablesFor(least), ", "))
		default:
			bound[k.name] = binding{k.name, variables[name], noun + " " + name}
		}
	}
	return bound, nil
}

// A binding is the text that a flag or a variable gives to a key, as a [viper.FlagValue]. viper.BindEnv would
// read the environment of this process only, not a location's variables.
type binding struct{ name, text, origin string }

func (b binding) HasChanged() bool    { return true }
func (b binding) Name() string        { return b.name }
func (b binding) ValueString() string { return b.text }
func (b binding) ValueType() string   { return "string" }

func newViper(bound map[string]binding) *viper.Viper {
	v := viper.New()
	for name, b := range bound {
		_ = v.BindFlagValue(name, b) // The only error is for nil.
	}
	return v
}

// origin is the place where a key is set, as messages name it.
func (l Loaded) origin(name string) string {
	if b, ok := l.bound[name]; ok {
		return b.origin
	}
	if l.viper != nil && l.viper.InConfig(name) {
		return l.file.path
	}
	return fromDefault
}

// decode sets the fields whose keys are set.
func (l *Loaded) decode() error {
	fields := map[any]key{}
	findFields(fields, "", reflect.ValueOf(&l.Config).Elem())
	parse := func(from, to reflect.Value) (any, error) {
		if to.CanAddr() {
			if k, ok := fields[to.Addr().Interface()]; ok {
				return k.kind.parse(from.Interface())
			}
		}
		return from.Interface(), nil // the map of a group
	}
	err := l.viper.UnmarshalExact(&l.Config, func(d *mapstructure.DecoderConfig) {
		d.DecodeHook, d.WeaklyTypedInput = parse, false
		d.ZeroFields = true // A list must not be written into the array of another Config's list.
	})
	var wrong *mapstructure.DecodeError
	if errors.As(err, &wrong) {
		return l.refuse(wrong.Name(), wrong.Unwrap())
	} else if err != nil {
		return pkgerrors.Wrap(err, "settings")
	}
	return nil
}

// readSecrets reads the file of secrets, if there is one.
func (l *Loaded) readSecrets() (err error) {
	if l.Subscribe.Signed, err = l.Subscribe.readSecrets(); err != nil {
		return l.refuse("subscribe.secret_file", fmt.Errorf("%s %w", quote(l.Subscribe.SecretFile), err))
	}
	return nil
}

// refuse completes an error about the value of a key: it adds where the key is set and what is allowed.
func (l *Loaded) refuse(name string, err error) error {
	err = fmt.Errorf("%s: %w: give %s", name, err, Allowed(name))
	if from := l.origin(name); from != fromDefault {
		err = fmt.Errorf("%s: %w", from, err)
	}
	return err
}

// findFields finds the key of each field, by a pointer to the field.
func findFields(fields map[any]key, prefix string, group reflect.Value) {
	for i := range group.NumField() {
		name, field := prefix+group.Type().Field(i).Tag.Get("mapstructure"), group.Field(i)
		if k, ok := keyByName(name); ok {
			fields[field.Addr().Interface()] = k
		} else {
			findFields(fields, name+".", field)
		}
	}
}

package conf

import (
	"os"
	"strings"
	"testing"
)

// The file may have been emptied or cut. The defaults would let everybody publish.
func TestYAML_RefusesAFileThatSetsNothing(t *testing.T) {
	const empty = "sets no key, so it may have been emptied or cut: write at least one, such as publish.allow: " +
		"none, or name /dev/null"
	for text, says := range map[string]string{
		"": empty, "\n \n": empty, "# tries: 5\n": empty, "---\n": empty, "---\n...\n": empty, "~\n": empty,
		"{}":                empty,
		"\ufeff# nothing\n": empty, "%YAML 1.1\n---\n# nothing\n": empty,
		"tries: 5\npublish:\n": "line 2: publish has no keys below it, so the file may have been " +
			"cut: write at least one of them, indented: allow, methods, rate; or remove the line",
		"publish:\n# allow: none\n": "line 1: publish has no keys below it",
		"file: ~\n":                 "line 1: file has no keys below it",
		"file: {}\n":                "line 1: file has no keys below it",
		"publish:\n  allow:": "line 2: publish.allow has no value, so the file may have been " +
			"cut: give patterns of ids, ",
		"publish:\n  allow: # none":             "line 2: publish.allow has no value",
		"publish: {allow: }":                    "line 1: publish.allow has no value",
		"publish.allow:":                        "line 1: publish.allow has no value",
		"publish: {allow: none, methods: null}": "line 1: publish.methods has no value",
		"tries: ~": "line 1: tries has no value, so the file may have been cut: give " +
			"a whole number from 1 to 100000; or remove the line",
		"tries: 5\nlisten:\n": `line 2: listen has no value, so the file may have been cut: ` +
			`give unix: and an absolute path`,
		"redis:\n  username: Null\n": `line 2: redis.username has no value, so the file may have been ` +
			`cut: give a name, or "" for nothing; or remove the line`,
	} {
		refuses(t, text, says)
	}
}

func TestYAML_WaysToWriteTheSame(t *testing.T) {
	for _, text := range []string{
		"tries: 5\nfile:\n  directory: /e\n", "tries: 5\nfile.directory: /e\n", "{tries: 5, file: {directory: /e}}",
		"TRIES: '5'\nFile:\n  Directory: \"/e\"\n",
		"tries: 5\r\nfile:\r\n  directory: /e\r\n", "\ufefftries: 5\nfile.directory: /e",
		"tries: 5 # five\nfile:\n  directory: >-\n    /e\n",
		"---\ntries: 5\nfile.directory: /e\n...\n",
	} {
		if c := load(t, Source{File: write(t, text)}); c.Tries != 5 || c.File.Directory != "/e" {
			t.Errorf("%q: %+v", text, c)
		}
	}
}

func TestYAML_RefusesWhatItCannotRead(t *testing.T) {
	for text, says := range map[string]string{
		"slep: 2":                `line 1: unknown key "slep": did you mean sleep?`,
		"\n\nmax-request: 65536": `line 3: unknown key "max-request": did you mean max_request?`,
		"file:\n  dir: /e":       `line 2: unknown key "file.dir": conf/comet.yaml lists`,
		"file:\n  mod: 0664":     `line 2: unknown key "file.mod": did you mean file.mode?`,
		"directory: /e":          `line 1: unknown key "directory": did you mean file.directory?`,
		"valkey: {}":             `line 1: unknown key "valkey": conf/comet.yaml lists`,
		"{5: 6}":                 `line 1: unknown key "5"`,
		"'': 6":                  `line 1: unknown key ""`,
		"file.: 6":               `line 1: unknown key "file."`,
		`"a\x1bb": 6`:            `line 1: unknown key "a\x1bb"`,
		"file: /dev/shm": "line 1: file is a group and has no value: write its keys below " +
			"it, indented: directory, mode",
		"socket: [a]": "line 1: socket is a group and has no value: write its keys " +
			"below it, indented: mode, group",
		"tries: 5\ntries: 6":                     `line 2: "tries" is already set in line 1`,
		"tries: 5\nTries: 6":                     `line 2: "tries" is already set in line 1`,
		"tries: 5\ntries:":                       `line 2: "tries" is already set in line 1`,
		"file.mode: 0600\nfile: {mode: 0600}":    `line 2: "file.mode" is already set in line 1`,
		"file: {mode: 0600}\nfile: {create: no}": `line 2: "file" is already set in line 1`,
		"tries: 5\n---\ntries: 6":                "second document",
		"tries: &t 5\nmax_request: *t":           "line 1: anchors (&), aliases (*) and tags (!)",
		"file: &f\n  directory: *f":              "line 1: anchors",
		"<<: {tries: 5}":                         `line 1: unknown key "<<"`,
		"tries: !!str 5":                         "line 1: anchors (&), aliases (*) and tags (!)",
		"&a tries: 5":                            "line 1: anchors",
		"!!map {tries: 5}":                       "line 1: anchors",
		"? [a]\n: 5":                             "line 1: a key must be a word",
		"store: [[a]]":                           "line 1: store: an element of a list must be a value",
		"store: [~]":                             "line 1: store: an element of a list must be a value",
		"store: [!!str a]":                       "line 1: anchors",
		"5":                                      "line 1: write keys and values here",
		"\n- tries: 5":                           "line 2: write keys and values here",
		"tries=5":                                "line 1: write keys and values here",
		"tries: 5: 6":                            "line 1: yaml: mapping values are not allowed",
		"tries: 5\nsleep: 2: 3":                  "yaml: line 2: mapping values are not allowed",
		"tries: 5\n\tsleep: 2":                   "line 2: the line begins with a tab",
		"tries: 5\nlisten: \"a":                  "yaml: line 2: ",
		"tries: 5\n---\n*nobody":                 "second document",
		"tries: 5\nlisten: \xff":                 "line 2: this is not UTF-8 text",
		"tries: 5\nlisten: a\x00b":               "line 2: the character U+0000 is not allowed",
		"\xff\xfet\x00:\x00":                     "line 1: this is not UTF-8 text",
		"# x\n" + strings.Repeat("[", 100_000):   "yaml: ",
	} {
		refuses(t, text, "", says)
	}
}

func TestYAML_NamesTheLineAndTheKeyOfAnAsterisk(t *testing.T) {
	for text, begin := range map[string]string{
		"publish:\n  allow: *":                                        "line 2: publish.allow: ",
		"publish:\n  allow: *  # all\n":                               "line 2: publish.allow: ",
		"publish.allow: *":                                            "line 1: publish.allow: ",
		"origins: *\n":                                                "line 1: origins: ",
		"tries: 5\nOrigins: *":                                        "line 2: origins: ",
		"publish:\n  allow: none\nsubscribe:\n  allow: *":             "line 4: subscribe.allow: ",
		"publish:\n  methods: POST\n  allow: *-news":                  "line 3: publish.allow: ",
		"publish: {allow: *}":                                         "line 1: publish.allow: ",
		"{publish: {methods: POST, allow: *x}}":                       "line 1: publish.allow: ",
		"publish:\n  allow: [news, *]":                                "line 2: publish.allow: ",
		"publish:\n  allow: [*-news]":                                 "line 2: publish.allow: ",
		"publish:\n  allow:\n    - news\n    - *":                     "line 4: publish.allow: ",
		"publish:\n  allow: \"*\" # *\n  methods: GET, *\norigins: *": "line 4: origins: ",
		"{listen: ä, origins: *}":                                     "line 1: origins: ",
		"publish:\n  alow: *":                                         "line 2: publish.alow: ",
	} {
		refuses(t, text, begin, `a value that begins with * must be in quotes, such as "*"`)
	}
}

func TestYAML_NamesTheLineOfATab(t *testing.T) {
	for text, line := range map[string]string{
		"publish:\n\tallow: none":                      "line 2: ",
		"publish:\n  \tallow: none\n":                  "line 2: ",
		"\t# a comment\ntries: 5\n\tsleep: 2":          "line 3: ",
		"publish:\n    allow: none\n\tmethods: POST\n": "line 3: ",
		"publish:\n  allow:\n\t- news":                 "line 3: ",
		"tries: 5\n\t\nsleep: 2\n":                     "line 2: ",
		"\ttries: 5":                                   "line 1: ",
	} {
		refuses(t, text, line+"the line begins with a tab, which YAML does not allow: use spaces")
	}
}

// An old file may have a password. It must not get into a log.
func TestYAML_NoMessageShowsAPassword(t *testing.T) {
	const password = "s3cr3t-pa55"
	for _, text := range []string{
		"redis.password: " + password,
		"redis.password: [" + password + "]",
		"redis.password: {" + password + ": x}",
		"redis:\n  password: " + password + "\n  password_file: relative",
		"redis:\n  password: *" + password,
		"redis:\n  password: &" + password + " x",
		"redis:\n  password: !" + password + " x",
		"redis:\n  password: %" + password,
		"redis:\n  password: @" + password,
		"redis:\n  password: '" + password,
		"redis:\n  password: \"" + password,
		"redis:\n  password: " + password + ": x",
		"redis:\n  password:" + password,
		"redis:\n  password:" + password + "\n  tls: yes",
		"redis:\n\tpassword: " + password,
		"redis.password: " + password + "\nredis.password: " + password,
		"redis.password: " + password + "\nredis.tls: x",
		"redis.password: " + password + "\n---\n",
	} {
		_, err := Load(Source{File: write(t, text)})
		if err == nil || strings.Contains(err.Error(), password) {
			t.Errorf("%q: %v; want an error without the password", text, err)
		}
	}
	_, err := Load(Source{File: os.DevNull, Environ: []string{"COMET_REDIS_PASSWORD=" + password}})
	if err == nil || strings.Contains(err.Error(), password) {
		t.Errorf("in the environment: %v; want an error without the password", err)
	}
}

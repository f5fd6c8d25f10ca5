package conf_test

import (
	"testing"

	"novcomet/conf"
)

func TestLoad_NamesTheLineAndTheKeyOfAnAsterisk(t *testing.T) {
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
		"publish:\n  alow: *":                                         "line 2: a value",
		"- *":                                                         "line 1: a value",
	} {
		path := write(t, text)
		_, err := conf.Load(conf.Source{File: path})
		mustSay(t, err, path+": "+begin, `a value that begins with * must be in quotes, such as "*"`)
	}
}

func TestLoad_NamesTheLineAndTheKeyOfATab(t *testing.T) {
	for text, begin := range map[string]string{
		"publish:\n\tallow: none":                      "line 2: publish.allow: ",
		"publish:\n  \tallow: none\n":                  "line 2: publish.allow: ",
		"\t# a comment\ntries: 5\n\tsleep: 2":          "line 3: sleep: ",
		"publish:\n    allow: none\n\tmethods: POST\n": "line 3: publish.methods: ",
		"publish:\n  allow:\n\t- news":                 "line 3: publish.allow: ",
		"tries: 5\n\t\nsleep: 2\n":                     "line 2: ",
		"\ttries: 5":                                   "line 1: tries: ",
	} {
		path := write(t, text)
		_, err := conf.Load(conf.Source{File: path})
		mustSay(t, err, path+": "+begin, "the line begins with a tab, which YAML does not allow: use spaces")
	}
}

package docs_test

import (
	"slices"
	"strings"
	"testing"

	"novcomet/examples/internal/docs"
)

func TestParse_Blocks(t *testing.T) {
	const text = "# A\n\n    one\n\n    two\n\nProse\n    goes on.\n" +
		"- item\n\n    more of the item\n\n      in the item\n\nEnd.\n\n" +
		"<!-- not run: why -->\n```sh\nthree\n    four\n```\n\n" +
		"## B\n<!-- alternative -->\n\n```go\n# no heading\n```\n"
	page := docs.Parse("README.md", text)
	type block struct {
		line              int
		heading, language string
		commands          bool
		text              string
		notes             int
	}
	var got []block
	for _, b := range page.Blocks {
		got = append(got, block{b.Line, b.Heading, b.Language, b.Commands(), strings.Join(b.Lines, "\n"), len(b.Notes)})
	}
	want := []block{
		{3, "A", "", true, "one\n\ntwo", 0},
		{13, "A", "", true, "in the item", 0},
		{19, "A", "sh", true, "three\n    four", 1},
		{27, "B", "go", false, "# no heading", 1},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if reason, found := docs.Find(page.Blocks[2].Notes, "not run"); reason != "why" || !found {
		t.Errorf("the note has the value %q, %v", reason, found)
	}
	if len(page.Headings) != 2 || len(page.Headings[0].Notes) != 0 || len(page.Headings[1].Notes) != 1 {
		t.Errorf("headings %+v", page.Headings)
	}
}

func TestSlug_IsTheAnchorOnGitHub(t *testing.T) {
	for heading, slug := range map[string]string{
		"Several users, /dev/shm and containers": "several-users-devshm-and-containers",
		"Is it all right?":                       "is-it-all-right",
		"nginx & Apache":                         "nginx--apache",
		"max_waiting":                            "max_waiting",
		"Überblick":                              "überblick",
	} {
		if got := docs.Slug(heading); got != slug {
			t.Errorf("Slug(%q) = %q, want %q", heading, got, slug)
		}
	}
}

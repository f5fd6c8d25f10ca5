package launch

import (
	"html"
	"strings"
)

// WithDirectory returns the text of examples/browser/index.html, or of another page, with commands for events
// in this directory.
func WithDirectory(page, directory string) string {
	const attribute = `data-directory="`
	return strings.Replace(page, attribute+`/dev/shm"`, attribute+html.EscapeString(directory)+`"`, 1)
}

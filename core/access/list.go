package access

import (
	"fmt"
	"strings"
)

// none is how a setting writes the empty list, or no limit.
const none = "none"

// ParseList splits a list: elements separated by commas, or "none" for the empty list. An empty element is an
// error, and so is an empty text.
func ParseList(text string) ([]string, error) {
	if strings.TrimSpace(text) == none {
		return []string{}, nil
	}
	elements := strings.Split(text, ",")
	for i := range elements {
		if elements[i] = strings.TrimSpace(elements[i]); elements[i] == "" {
			return nil, fmt.Errorf("%.60q is not a list: it has an empty element", text)
		}
	}
	return elements, nil
}

// formatList returns a list in the form that ParseList splits.
func formatList(elements []string) string {
	if len(elements) == 0 {
		return none
	}
	return strings.Join(elements, ", ")
}

package manifest

import (
	"bytes"
	"strings"
)

// salvageName guesses metadata.name in the text of a document that does not
// parse, so that the problem can be pinned to a component. It returns "" if it
// finds none.
func salvageName(text []byte) string {
	inside := false
	for raw := range bytes.Lines(text) {
		line := strings.TrimRight(string(raw), " \t\r\n")
		body := strings.TrimLeft(line, " \t")
		if body == "" || body[0] == '#' {
			continue
		}
		if len(body) == len(line) { // at the top level
			key, rest, ok := strings.Cut(line, ":")
			inside = ok && strings.EqualFold(strings.Trim(key, `"' `), "metadata")
			if rest = strings.TrimSpace(rest); inside && strings.HasPrefix(rest, "{") {
				for entry := range strings.SplitSeq(strings.Trim(rest, "{}"), ",") {
					if name := nameEntry(entry); name != "" {
						return name
					}
				}
			}
			continue
		}
		if inside {
			if name := nameEntry(body); name != "" {
				return name
			}
		}
	}
	return ""
}

// nameEntry returns X of "name: X", or "".
func nameEntry(entry string) string {
	key, value, ok := strings.Cut(entry, ":")
	if !ok || !strings.EqualFold(strings.Trim(key, `"' `), "name") {
		return ""
	}
	value = strings.TrimSpace(value)
	if i := strings.Index(value, " #"); i >= 0 {
		value = strings.TrimSpace(value[:i])
	}
	if value = strings.Trim(value, `"'`); checkName(value) != "" {
		return ""
	}
	return value
}

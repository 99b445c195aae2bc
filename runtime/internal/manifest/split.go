package manifest

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// chunk is the text of one document of a file.
type chunk struct {
	text []byte
	line int // lines of the file before text
}

// splitDocuments cuts data at the lines that mark documents in YAML: "---"
// followed by nothing, a space or a tab, and "...". As Dapr does, it also takes
// a line of four or more dashes for a separator. Chunks that hold only comments
// and directives are left out. A "---" line stays in its chunk, because a
// document may start on it.
func splitDocuments(data []byte) []chunk {
	var chunks []chunk
	start, startLine := 0, 0
	add := func(end int) {
		if c := data[start:end]; hasContent(c) {
			chunks = append(chunks, chunk{c, startLine})
		}
	}
	for at, n := 0, 0; at < len(data); n++ {
		next := len(data)
		if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
			next = at + i + 1
		}
		switch kind := markerOf(data[at:next]); kind {
		case markStart:
			add(at)
			start, startLine = at, n
		case markEnd, markRule:
			add(at)
			start, startLine = next, n+1
		}
		at = next
	}
	add(len(data))
	return chunks
}

type marker int

const (
	markNone  marker = iota
	markStart        // ---
	markEnd          // ...
	markRule         // ---- and longer
)

func markerOf(line []byte) marker {
	switch {
	case bytes.HasPrefix(line, []byte("---")):
		rest := bytes.TrimLeft(line, "-")
		if len(line)-len(rest) == 3 {
			if len(rest) == 0 || bytes.IndexByte([]byte(" \t\r\n"), rest[0]) >= 0 {
				return markStart
			}
			return markNone
		}
		if rest = bytes.TrimSpace(rest); len(rest) == 0 || rest[0] == '#' {
			return markRule
		}
	case bytes.HasPrefix(line, []byte("...")):
		if rest := line[3:]; len(rest) == 0 || bytes.IndexByte([]byte(" \t\r\n"), rest[0]) >= 0 {
			return markEnd
		}
	}
	return markNone
}

// hasContent reports whether the chunk has a line that is not empty, a comment,
// a directive or a bare document start.
func hasContent(text []byte) bool {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if markerOf(line) == markStart {
			line = bytes.TrimSpace(line[3:])
		}
		if len(line) > 0 && line[0] != '#' && line[0] != '%' {
			return true
		}
	}
	return false
}

// checkText returns what makes data unreadable as YAML text, and where; msg is
// empty if nothing does. The YAML reader has checks of its own, without places.
func checkText(data []byte) (line, column int, msg string) {
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return 1, 1, "the file is UTF-16 text; save it as UTF-8"
	}
	at := 0
	for at < len(data) {
		r, n := utf8.DecodeRune(data[at:])
		switch {
		case r == utf8.RuneError && n == 1:
			msg = fmt.Sprintf("byte 0x%02x is not UTF-8 text", data[at])
		case r < 0x20 && r != '\t' && r != '\n' && r != '\r', r == 0x7f:
			msg = fmt.Sprintf("control character 0x%02x is not allowed in YAML", r)
		}
		if msg != "" {
			lineStart := bytes.LastIndexByte(data[:at], '\n') + 1
			return bytes.Count(data[:at], []byte("\n")) + 1, utf8.RuneCount(data[lineStart:at]) + 1, msg
		}
		at += n
	}
	return 0, 0, ""
}

// tabIndent returns the place of the first tab that indents a line, the usual
// reason for "found character that cannot start any token".
func tabIndent(text []byte) (line, column int, ok bool) {
	for l := range bytes.Lines(text) {
		line++
		body := bytes.TrimLeft(l, " ")
		if len(body) > 0 && body[0] == '\t' && len(bytes.TrimSpace(body)) > 0 {
			return line, len(l) - len(body) + 1, true
		}
	}
	return 0, 0, false
}

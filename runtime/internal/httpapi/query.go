package httpapi

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// query is what the API reads of a query string.
type query struct {
	consistency, concurrency, contentType string
	metadata                              map[string]string
}

// query reads the query string of a request. Its length is bounded by the
// server's limit on header lines, the number of its metadata here.
func (s *server) query(r *http.Request) (query, error) {
	var q query
	for raw := r.URL.RawQuery; raw != ""; {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		name, value, _ := strings.Cut(pair, "=")
		name, value = unescape(name), unescape(value)
		switch meta, ok := strings.CutPrefix(name, "metadata."); {
		case ok:
			if q.metadata == nil {
				q.metadata = map[string]string{}
			}
			q.metadata[meta] = value
			if most := s.api.Limits().Metadata; len(q.metadata) > most {
				return q, fmt.Errorf("the query string has more than %d metadata parameters", most)
			}
		case name == "consistency":
			q.consistency = value
		case name == "concurrency":
			q.concurrency = value
		case name == "contentType":
			q.contentType = value
		}
	}
	return q, nil
}

// unescape decodes a part of a query string; what is not escaped well is taken
// as it is.
func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

package sqlitestore

import (
	"bytes"
	"database/sql/driver"
	"encoding/base64"
	"time"
	"unicode/utf8"

	"github.com/wasmstate/wasmstate/abi"
)

// timeFormat is how times are stored, in UTC. Text in this form compares like
// the times, also with Dapr's, which have no fraction.
const timeFormat = "2006-01-02 15:04:05.000"

func now() string { return time.Now().UTC().Format(timeFormat) }

// encodeValue returns the columns value and is_binary.
func encodeValue(b []byte) (text string, binary bool) {
	if utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 {
		return string(b), false
	}
	return base64.StdEncoding.EncodeToString(b), true
}

// record is a row as it is read: the columns value, is_binary, etag,
// expiration_time as text, and the content type.
type record struct {
	value, etag, expires, contentType string
	binary                            bool
}

func text(v driver.Value) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}

func (r *record) scan(row []driver.Value) error {
	*r = record{value: text(row[0]), etag: text(row[2]), expires: text(row[3]), contentType: text(row[4])}
	switch v := row[1].(type) {
	case int64:
		r.binary = v != 0
	case bool:
		r.binary = v
	}
	return nil
}

// copyTo fills the caller's response.
func (r *record) copyTo(resp *abi.GetResponse) error {
	resp.Reset()
	if r.binary {
		var err error
		if resp.Value, err = base64.StdEncoding.AppendDecode(resp.Value, []byte(r.value)); err != nil {
			resp.Reset()
			return abi.WrapError(abi.CodeCorrupt, "sqlite: the row is marked binary and is not base64", err)
		}
	} else {
		resp.Value = append(resp.Value, r.value...)
	}
	if r.expires != "" {
		t, ok := parseTime(r.expires)
		if !ok {
			resp.Reset()
			return abi.NewError(abi.CodeCorrupt, "sqlite: the row's expiration_time is not a time")
		}
		resp.ExpiresAt = t.UnixMilli()
	}
	resp.ETag = append(resp.ETag, r.etag...)
	resp.ContentType = append(resp.ContentType, r.contentType...)
	return nil
}

// parseTime reads our format, Dapr's and what people write by hand.
func parseTime(s string) (time.Time, bool) {
	for _, format := range []string{"2006-01-02 15:04:05.999", time.RFC3339Nano, "2006-01-02T15:04:05.999"} {
		if t, err := time.Parse(format, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// after returns the smallest text that is above every text with the prefix. If
// there is none it returns a blob, which SQLite sorts above all text.
func after(prefix []byte) any {
	end := bytes.Clone(bytes.TrimRight(prefix, "\xff"))
	if len(end) == 0 {
		return []byte{}
	}
	end[len(end)-1]++
	return string(end)
}

package component

import (
	"bytes"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/handle"
)

// MaxKey is the longest client key in bytes.
const MaxKey = 32 << 10

// separator stands between the prefix and the client's key and
// may not be in either.
const separator = "||"

// Prefix returns the text that is put before every key of a component, by the
// strategy of its keyPrefix property: appid (also for ""), name, namespace,
// none, or a text of its own.
func Prefix(strategy, appID, namespace, name string) (string, error) {
	var p string
	switch strings.ToLower(strategy) {
	case "", "appid":
		p = appID
	case "name":
		p = name
	case "namespace":
		p = appID
		if namespace != "" {
			p = namespace + "." + appID
		}
	case "none":
		return "", nil
	default:
		p = strategy
	}
	if strings.Contains(p, separator) {
		return "", invalid("keyPrefix: %q must not contain %q", p, separator)
	}
	if !utf8.ValidString(p) {
		return "", invalid("keyPrefix: %q is not valid UTF-8", p)
	}
	if p == "" {
		// An empty app id: the keys are stored as they are.
		return "", nil
	}
	return p + separator, nil
}

// checkKey refuses what no client may use as a key.
func checkKey(key []byte) error {
	if len(key) == 0 {
		return &handle.IllegalKeyError{Why: "must not be empty"}
	}
	return checkPrefix(key)
}

// checkPrefix is checkKey for the start of a key, which may be empty.
func checkPrefix(key []byte) error {
	switch {
	case len(key) > MaxKey:
		return &handle.IllegalKeyError{Key: string(key[:64]), Why: "is longer than " + strconv.Itoa(MaxKey) + " bytes"}
	case bytes.Contains(key, []byte(separator)):
		return &handle.IllegalKeyError{Key: string(key), Why: "can't contain '||'"}
	case !utf8.Valid(key):
		return &handle.IllegalKeyError{Key: strconv.QuoteToASCII(string(key)), Why: "is not valid UTF-8"}
	}
	return nil
}

func checkTTL(ttl time.Duration) error {
	if ttl == 0 || ttl >= time.Second && ttl <= abi.MaxTTL {
		return nil
	}
	return invalid("time to live %v is out of range; use 1s to %v, or 0 for no expiry", ttl, abi.MaxTTL)
}

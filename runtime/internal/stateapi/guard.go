package stateapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Guard decides who may ask a server at all. One for every server: a door that
// is guarded elsewhere is open.
//
// A server that asks for a token is safe from web pages, which do not know it.
// One that does not is reached by every page in a browser on the same machine:
// by a form that is posted across sites, and, with a name that is rebound to a
// loopback address, by a script. So without a token requests across sites are
// refused, and a server that listens on loopback answers to loopback names only.
type Guard struct {
	Token    string   // asked for in the header dapr-api-token; empty = none
	Origins  []string // of web pages that may ask; "*" = all; nil = none
	Loopback bool     // it listens on a loopback address
	Always   bool     // pages are refused with a token too, and Host is checked
}

// TokenOK compares hashes, so that the time taken says nothing about the token.
func (g *Guard) TokenOK(given string) bool {
	if g.Token == "" {
		return true
	}
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(g.Token))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// Allowed reports whether pages of an origin may ask.
func (g *Guard) Allowed(origin string) bool {
	return slices.ContainsFunc(g.Origins, func(o string) bool { return o == "*" || strings.EqualFold(o, origin) })
}

// Refuse returns why a request is not taken, or "". The token is another matter.
func (g *Guard) Refuse(r *http.Request) string {
	if g.Token != "" && !g.Always {
		return ""
	}
	if g.Loopback && !IsLoopback(r.Host) {
		return "the Host header must name this machine (localhost, 127.0.0.1 or [::1]): this server listens on loopback and asks for no token"
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		if r.Header.Get("Sec-Fetch-Site") == "cross-site" {
			return "requests of web pages of other sites are not taken"
		}
		return ""
	}
	if g.Allowed(origin) {
		return ""
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host) && !(g.Always && IsLoopback(u.Host)) {
		return "requests of web pages of " + clip(origin) + " are not taken (allowed-origins opens this)"
	}
	return ""
}

// IsLoopback reports whether host, with or without a port, is this machine.
func IsLoopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

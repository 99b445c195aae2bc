package hostfuncs

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// HTTPRule allows HTTP requests.
type HTTPRule struct {
	Methods []string // capitals; nil = all that guests may use
	Scheme  string   // http or https
	Host    string   // lower case; "*.example.com" stands for every name below
	Port    string   // decimal, never empty
	Path    string   // prefix by segments; empty or "/" = all
}

// TCPRule allows connections.
type TCPRule struct {
	Host string // lower case; "*.example.com" stands for every name below
	Port string // decimal
}

// guestMethods are what a guest may send: what is missing would make a tunnel
// or show the request to the sender.
func guestMethods() []string {
	return []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
}

// ParseHTTPRule reads "[METHOD[,METHOD…] ]scheme://host[:port][/path-prefix]",
// such as "GET,HEAD https://api.example.com/v1/". The path "/v1" stands for
// /v1 and everything below it, "/v1/" for what is below only.
func ParseHTTPRule(text string) (HTTPRule, error) {
	var r HTTPRule
	target := strings.TrimSpace(text)
	if methods, rest, found := strings.Cut(target, " "); found {
		target = strings.TrimSpace(rest)
		for m := range strings.SplitSeq(methods, ",") {
			if !slices.Contains(guestMethods(), m) {
				return r, fmt.Errorf("%q is not a method that guests may use; write for example \"GET,HEAD https://api.example.com\" with %s", m, strings.Join(guestMethods(), ", "))
			}
			r.Methods = append(r.Methods, m)
		}
	}
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Opaque != "" {
		return r, errors.New("is not an address such as https://api.example.com:8443/v1/")
	}
	if u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return r, errors.New("must have neither user, query nor fragment")
	}
	r.Scheme, r.Host, r.Port, r.Path = u.Scheme, normalHost(u.Hostname()), u.Port(), u.Path
	if err := checkRuleHost(r.Host); err != nil {
		return r, err
	}
	if r.Port == "" {
		r.Port = defaultPort(r.Scheme)
	}
	if r.Port, err = normalPort(r.Port); err != nil {
		return r, err
	}
	if r.Path == "/" {
		r.Path = ""
	}
	if r.Path != "" && !plainPath(u) {
		return r, errors.New("the path must have no dot segments and no encoded slashes")
	}
	return r, nil
}

// ParseTCPRule reads "host:port".
func ParseTCPRule(text string) (TCPRule, error) {
	host, port, err := net.SplitHostPort(strings.TrimSpace(text))
	if err != nil {
		return TCPRule{}, errors.New("is not host:port, such as redis.internal:6379")
	}
	r := TCPRule{Host: normalHost(host)}
	if err := checkRuleHost(r.Host); err != nil {
		return r, err
	}
	r.Port, err = normalPort(port)
	return r, err
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

func normalHost(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

func normalPort(port string) (string, error) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || port[0] == '+' {
		return "", fmt.Errorf("%q is not a port", port)
	}
	return strconv.FormatUint(n, 10), nil
}

func checkRuleHost(host string) error {
	name := strings.TrimPrefix(host, "*.")
	switch {
	case !plainHost(name):
		return fmt.Errorf("%q is not a host name or an address; a wildcard can be the first label only, as in *.example.com", host)
	case name != host && !strings.Contains(name, "."):
		return fmt.Errorf("%q would allow a whole top-level domain", host)
	}
	if _, err := netip.ParseAddr(name); err == nil && name != host {
		return fmt.Errorf("%q is not a host name", host)
	}
	return nil
}

// plainHost accepts ASCII names and literal addresses without zone.
func plainHost(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Zone() == ""
	}
	if host == "" || len(host) > 253 || host[0] == '.' || strings.Contains(host, "..") {
		return false
	}
	for i := range len(host) {
		c := host[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return true
}

// plainQuery refuses what would end the target in a request line: the query
// goes out as it is.
func plainQuery(query string) bool {
	for i := range len(query) {
		if query[i] <= ' ' || query[i] >= 0x7f {
			return false
		}
	}
	return true
}

// plainPath reports whether every server takes the path for what it looks like.
func plainPath(u *url.URL) bool {
	escaped := strings.ToLower(u.EscapedPath())
	for _, s := range []string{"%2f", "%5c", "\\", "%2e", "%252e", "%252f", "%255c", "%00", ";"} {
		if strings.Contains(escaped, s) {
			return false
		}
	}
	for seg := range strings.SplitSeq(u.Path, "/") {
		if seg == "." || seg == ".." {
			return false
		}
	}
	return !strings.Contains(u.Path, "//")
}

func matchHost(pattern, host string) bool {
	if suffix, found := strings.CutPrefix(pattern, "*"); found {
		return len(host) > len(suffix) && strings.HasSuffix(host, suffix)
	}
	return pattern == host
}

// allows reports whether the rule covers a request to u, whose host is normal.
func (r *HTTPRule) allows(method string, u *url.URL, host, port string) bool {
	switch {
	case u.Scheme != r.Scheme || port != r.Port || !matchHost(r.Host, host):
		return false
	case r.Methods != nil && !slices.Contains(r.Methods, method):
		return false
	case r.Path == "":
		return true
	case !plainPath(u):
		return false
	}
	below, found := strings.CutPrefix(u.Path, r.Path)
	return found && (below == "" || below[0] == '/' || strings.HasSuffix(r.Path, "/"))
}

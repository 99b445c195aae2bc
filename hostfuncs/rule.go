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
	r.Scheme, r.Host, r.Port = u.Scheme, canonicalHost(u.Hostname()), u.Port()
	if err := checkRuleHost(r.Host); err != nil {
		return r, err
	}
	if r.Port == "" {
		r.Port = defaultPort(r.Scheme)
	}
	if r.Port, err = normalPort(r.Port); err != nil {
		return r, err
	}
	path, plain := canonicalPath(u)
	if !plain {
		return r, errors.New("the path must have neither dot segments nor empty ones, and no encoded slashes, percent signs, semicolons or the like: no request could match it")
	}
	if path != "/" {
		r.Path = path
	}
	return r, nil
}

// ParseTCPRule reads "host:port".
func ParseTCPRule(text string) (TCPRule, error) {
	host, port, err := net.SplitHostPort(strings.TrimSpace(text))
	if err != nil {
		return TCPRule{}, errors.New("is not host:port, such as redis.internal:6379")
	}
	r := TCPRule{Host: canonicalHost(host)}
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

// canonicalHost is the one spelling of a host: lower case, without the dot that
// ends a full name; of an address the shortest form, IPv4 without IPv6 clothes.
func canonicalHost(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().String()
	}
	return host
}

// plainHost accepts canonical ASCII names and addresses without zone. A name
// whose last label is a number is none: resolvers take 127.1, 0x7f.1 and
// 2130706433 for addresses.
func plainHost(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Zone() == ""
	}
	if host == "" || len(host) > 253 || host[0] == '.' || strings.HasSuffix(host, ".") || strings.Contains(host, "..") {
		return false
	}
	for i := range len(host) {
		c := host[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return !isNumber(host[strings.LastIndexByte(host, '.')+1:])
}

// isNumber reports whether a label is a decimal, octal or hexadecimal number.
func isNumber(label string) bool {
	digits, hex := strings.CutPrefix(label, "0x")
	for i := range len(digits) {
		if c := digits[i]; (c < '0' || c > '9') && !(hex && c >= 'a' && c <= 'f') {
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

func matchHost(pattern, host string) bool {
	if suffix, found := strings.CutPrefix(pattern, "*"); found {
		return len(host) > len(suffix) && strings.HasSuffix(host, suffix)
	}
	return pattern == host
}

// allows reports whether the rule covers a request to u, whose host and port are
// canonical.
func (r *HTTPRule) allows(method string, u *url.URL, host, port string) bool {
	switch {
	case u.Scheme != r.Scheme || port != r.Port || !matchHost(r.Host, host):
		return false
	case r.Methods != nil && !slices.Contains(r.Methods, method):
		return false
	case r.Path == "":
		return true
	}
	path, plain := canonicalPath(u)
	below, found := strings.CutPrefix(path, r.Path)
	return plain && found && (below == "" || below[0] == '/' || strings.HasSuffix(r.Path, "/"))
}

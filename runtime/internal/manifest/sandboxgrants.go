package manifest

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// secrets reads a list of secret names, or a map of the guest's names to
// secret names or {name, key}.
func (d *document) secrets(at *yaml.Node, what string) map[string]SecretRef {
	out := map[string]SecretRef{}
	n := d.visit(at)
	if n == nil {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		for _, name := range d.textList(at, what, func(string) string { return "" }) {
			out[name] = SecretRef{Name: name, Key: name}
		}
		return out
	}
	for _, f := range d.fields(at, what) {
		name := what + "." + f.name
		if v := d.visit(f.value); v != nil && v.Kind == yaml.ScalarNode {
			if text, ok := d.scalar(f.value, name); ok {
				out[f.name] = SecretRef{Name: text, Key: text}
			}
			continue
		}
		if ref := d.secretRef(f.value, name); ref != nil {
			out[f.name] = *ref
		}
	}
	return out
}

func (d *document) networks(at *yaml.Node, what string) (out []netip.Prefix) {
	d.textList(at, what, func(text string) string {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			a, addrErr := netip.ParseAddr(text)
			if addrErr != nil || a.Zone() != "" {
				return `is not an address range such as "10.1.0.0/16"`
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		if p != p.Masked() {
			return "has address bits beyond its length, did you mean " + p.Masked().String() + "?"
		}
		out = append(out, p)
		return ""
	})
	return out
}

// checkHTTP checks an entry of sandbox.http: [METHOD[,METHOD…] ]URL.
func checkHTTP(text string) string {
	target := text
	if methods, rest, ok := strings.Cut(text, " "); ok {
		target = strings.TrimSpace(rest)
		for m := range strings.SplitSeq(methods, ",") {
			if m == "" || strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
				return `must begin with methods in capitals, such as "GET,HEAD https://api.example.com"`
			}
		}
	}
	u, err := url.Parse(target)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "is not an http:// or https:// address"
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "must have neither user, query nor fragment"
	case strings.Contains(strings.TrimPrefix(u.Hostname(), "*."), "*") || u.Hostname() == "":
		return `may have a wildcard only as the first label of its host, such as "https://*.example.com"`
	case u.Port() != "" && !validPort(u.Port()):
		return "has an invalid port"
	}
	return ""
}

// checkTCP checks an entry of sandbox.tcp: host:port.
func checkTCP(text string) string {
	host, port, err := net.SplitHostPort(text)
	if err != nil || host == "" || !validPort(port) || strings.ContainsAny(host, "/@ ") ||
		strings.Contains(strings.TrimPrefix(host, "*."), "*") {
		return `is not host:port, such as "redis.internal:6379"`
	}
	return ""
}

func validPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

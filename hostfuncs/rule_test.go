package hostfuncs

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseHTTPRule(t *testing.T) {
	for text, want := range map[string]HTTPRule{
		"https://api.example.com":                  {Scheme: "https", Host: "api.example.com", Port: "443"},
		"GET,PUT http://API.example.com.:8080/v1/": {Methods: []string{"GET", "PUT"}, Scheme: "http", Host: "api.example.com", Port: "8080", Path: "/v1/"},
		"https://*.example.com/":                   {Scheme: "https", Host: "*.example.com", Port: "443"},
		"https://x.example/a%20b%C3%A4/c.d/...e":   {Scheme: "https", Host: "x.example", Port: "443", Path: "/a bä/c.d/...e"},
		"http://[2606:4700:0:0::1111]":             {Scheme: "http", Host: "2606:4700::1111", Port: "80"},
		"http://[::ffff:1.2.3.4]":                  {Scheme: "http", Host: "1.2.3.4", Port: "80"},
		"http://[2606:4700::1111]:80":              {Scheme: "http", Host: "2606:4700::1111", Port: "80"},
	} {
		r, err := ParseHTTPRule(text)
		require.NoError(t, err, text)
		require.Equal(t, want, r)
	}
	for _, text := range []string{
		"", "api.example.com", "ftp://x", "https://", "https://u:p@x", "https://x?q", "https://x#f", "https://*", "https://*.com", "https://a.*.com",
		"https://x:0", "https://x:99999", "https://x:+80", "get https://x", "CONNECT https://x", "TRACE https://x", ", https://x", "https://ä.example", "https://[fe80::1%25eth0]",
		"https://127.1", "https://0x7f.1", "https://2130706433", "https://0177.0.0.1", "https://example.com..", "https://x.0x",
		"https://x/a%25b", "https://x/a;b/", "https://x/a//b", "https://x/a%00", "https://x/...%20/", "https://x/%ff/", "https://x/a%3fb",
		"https://x/a/../b", "https://x/%2e%2e/b", "https://x/a%2fb", "https://x y", "https://*.1.2.3.4", "https:x",
	} {
		_, err := ParseHTTPRule(text)
		require.Error(t, err, text)
	}
}

func TestParseTCPRule(t *testing.T) {
	r, err := ParseTCPRule("Redis.internal:06379")
	require.NoError(t, err)
	require.Equal(t, TCPRule{"redis.internal", "6379"}, r)
	for _, text := range []string{"", "x", "x:", ":1", "x:0", "x:y", "x:70000", "u@x:1", "*:1", "*.com:1", "a b:1", "[fe80::1%eth0]:1", "x:1:2", "x/y:1", "127.1:1", "0x7f.0.0.1:1", "2130706433:1", "x..:1"} {
		_, err := ParseTCPRule(text)
		require.Error(t, err, text)
	}
}

// TestAllowed has what the rules cover and the ways around them.
func TestAllowed(t *testing.T) {
	g := newGuest(t, Config{HTTP: []string{
		"https://api.example.com", "GET https://read.example.com", "http://files.example.com:8080/pub/", "https://one.example.com/v1", "https://*.wild.example.com",
	}})
	for _, c := range []struct {
		method, url string
		want        bool
	}{
		{"GET", "https://api.example.com", true},
		{"DELETE", "https://api.example.com:443/any/thing?q=1#f", true},
		{"GET", "https://API.Example.COM./", true},
		{"GET", "http://api.example.com/", false},
		{"GET", "https://api.example.com:444/", false},
		{"GET", "https://api.example.com.evil.com/", false},
		{"GET", "https://evilapi.example.com/", false},
		{"GET", "https://api.example.com/?a=b%20c&d=[e]", true},
		{"GET", "https://api.example.com/?a HTTP/1.1", false},
		{"GET", "https://api.example.com/?\u00e4", false},
		{"GET", "https://api.example.com:/", true},
		{"GET", "https://api.example.com:0443/", false},
		{"GET", "https://user@api.example.com/", false},
		{"GET", "https://api.example.com@evil.com/", false},
		{"GET", "https://evil.com#@api.example.com/", false},
		{"GET", "https://evil.com?@api.example.com/", false},
		{"GET", "https://evil.com\\@api.example.com/", false},
		{"GET", "https:api.example.com", false},
		{"GET", "https:///api.example.com", false},
		{"GET", "//api.example.com", false},
		{"GET", "file:///etc/passwd", false},
		{"GET", "gopher://api.example.com", false},
		{"GET", "https://xn--api.example.com/", false},
		{"GET", "https://\uff41pi.example.com/", false},
		{"GET", "https://api\u3002example.com/", false},
		{"POST", "https://read.example.com/", false},
		{"GET", "https://read.example.com/", true},
		{"GET", "http://files.example.com:8080/pub/a/b", true},
		{"GET", "http://files.example.com:8080/pub/", true},
		{"GET", "http://files.example.com:8080/pub", false},
		{"GET", "http://files.example.com:8080/pub/../secret", false},
		{"GET", "http://files.example.com:8080/pub/%2e%2e/secret", false},
		{"GET", "http://files.example.com:8080/pub/.%2E/secret", false},
		{"GET", "http://files.example.com:8080/pub/%252e%252e/secret", false},
		{"GET", "http://files.example.com:8080/pub/..%2fsecret", false},
		{"GET", "http://files.example.com:8080/pub/..%5csecret", false},
		{"GET", "http://files.example.com:8080/pub/..;/secret", false},
		{"GET", "http://files.example.com:8080/pub/a%00b", false},
		{"GET", "http://files.example.com:8080/%70ub/a", true},
		{"GET", "http://files.example.com:8080//pub/a", false},
		{"GET", "http://files.example.com:8080/pub/%25%32e%25%32e/secret", false},
		{"GET", "http://files.example.com:8080/pub/%252%65%252%65/secret", false},
		{"GET", "http://files.example.com:8080/pub/..%25%32fsecret", false},
		{"GET", "http://files.example.com:8080/pub/%25%35c..", false},
		{"GET", "http://files.example.com:8080/pub/..%3b/x", false},
		{"GET", "http://files.example.com:8080/pub/..%c0%afsecret", false},
		{"GET", "http://files.example.com:8080/pub/%c0%ae%c0%ae/secret", false},
		{"GET", "http://files.example.com:8080/pub/.%09./secret", false},
		{"GET", "http://files.example.com:8080/pub/..%0d/secret", false},
		{"GET", "http://files.example.com:8080/pub/..%20/secret", false},
		{"GET", "http://files.example.com:8080/pub/%25252e%25252e/secret", false},
		{"GET", "http://files.example.com:8080/%2570ub/a", false},
		{"GET", "http://files.example.com:8080/pub/%ef%bc%8e%ef%bc%8e/secret", false},
		{"GET", "http://files.example.com:8080/pub/%ef%b8%b0/secret", false},
		{"GET", "http://files.example.com:8080/pub/..%e2%88%95secret", false},
		{"GET", "http://files.example.com:8080/pub/a%e2%84%80b", false},
		{"GET", "http://files.example.com:8080/pub/.%e2%80%8b./secret", false},
		{"GET", "http://files.example.com:8080/pub/..%3f/secret", false},
		{"GET", "http://files.example.com:8080/pub/100%25", false},
		{"GET", "http://files.example.com:8080/pub/file%2etxt", true},
		{"GET", "http://files.example.com:8080/pub/a%20b/%C3%A4", true},
		{"GET", "http://files.example.com:8080/pub/...a", true},
		{"GET", "https://api.example.com../", false},
		{"GET", "https://one.example.com/v1", true},
		{"GET", "https://one.example.com/v1/x", true},
		{"GET", "https://one.example.com/v10", false},
		{"GET", "https://one.example.com/", false},
		{"GET", "https://a.wild.example.com/", true},
		{"GET", "https://a.b.wild.example.com/", true},
		{"GET", "https://wild.example.com/", false},
		{"GET", "https://.wild.example.com/", false},
		{"GET", "https://evilwild.example.com/", false},
	} {
		u, err := url.Parse(c.url)
		got := err == nil && u.Host != "" && g.host.web.allowed(c.method, u) == nil
		require.Equal(t, c.want, got, c.method+" "+c.url)
	}
}

// TestAllowedHostIsCanonical: what was judged is what is sent and looked up.
func TestAllowedHostIsCanonical(t *testing.T) {
	g := newGuest(t, Config{HTTP: []string{"https://api.example.com", "http://[2606:4700::1111]", "http://1.2.3.4", "https://api.example.com:8443"}})
	for given, want := range map[string]string{
		"https://API.Example.COM./": "api.example.com", "https://api.example.com:/": "api.example.com", "https://api.example.com:443/": "api.example.com",
		"http://[2606:4700:0::1111]/": "[2606:4700::1111]", "http://[::ffff:1.2.3.4]:80/": "1.2.3.4", "https://API.example.com.:8443/": "api.example.com:8443",
	} {
		u, err := url.Parse(given)
		require.NoError(t, err)
		require.NoError(t, g.host.web.allowed("GET", u), given)
		require.Equal(t, want, u.Host)
	}
}

func TestReservedHeaders(t *testing.T) {
	for _, name := range []string{"Host", "Transfer_Encoding", "content_length", "Proxy_Authorization", "X-HTTP-Method-Override", "x_original_url", "X-Forwarded-Host"} {
		pairs := le.AppendUint32(le.AppendUint32(nil, uint32(len(name))), 1)
		_, err := requestHeader(nil, append(append(pairs, name...), '1'))
		require.ErrorIs(t, err, errBadHeader, name)
	}
	_, err := requestHeader(make([]byte, maxContentType+1), nil)
	require.ErrorIs(t, err, errContentType)
}

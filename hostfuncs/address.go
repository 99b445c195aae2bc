package hostfuncs

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"syscall"

	"github.com/wasmstate/wasmstate/abi"
)

// specialRange is a range of addresses that guests do not reach unless the
// operator names it.
type specialRange struct{ cidr, what string }

// specialRanges are those of the IANA registries of special-purpose addresses
// that lie outside of what netip knows by itself, and cloud services with
// public addresses.
func specialRanges() []specialRange {
	return []specialRange{
		{"0.0.0.0/8", "an address of this network"},
		{"100.64.0.0/10", "a shared (carrier) address"},
		{"192.0.0.0/24", "a protocol address"},
		{"192.0.2.0/24", "a documentation address"},
		{"192.88.99.0/24", "a 6to4 relay"},
		{"198.18.0.0/15", "a benchmarking address"},
		{"198.51.100.0/24", "a documentation address"},
		{"203.0.113.0/24", "a documentation address"},
		{"240.0.0.0/4", "a reserved or broadcast address"},
		{"168.63.129.16/32", "a cloud metadata address"},
		{"64:ff9b::/96", "a NAT64 address, which may lead anywhere"},
		{"64:ff9b:1::/48", "a NAT64 address, which may lead anywhere"},
		{"2001::/23", "a protocol address"}, // Teredo among them
		{"2001:db8::/32", "a documentation address"},
		{"2002::/16", "a 6to4 address, which may lead anywhere"},
		{"3fff::/20", "a documentation address"},
	}
}

// special says what is special about an address, "" for an ordinary one on the
// public internet.
func special(a netip.Addr) string {
	switch {
	case !a.IsValid():
		return "not an address"
	case a.Zone() != "":
		return "an address of one link"
	case a.IsUnspecified():
		return "the unspecified address"
	case a.IsLoopback():
		return "a loopback address"
	case a.IsPrivate():
		return "a private address"
	case a.IsLinkLocalUnicast():
		return "a link-local address, where cloud metadata lives"
	case a.IsMulticast():
		return "a multicast address"
	}
	for _, r := range specialRanges() {
		if netip.MustParsePrefix(r.cidr).Contains(a) {
			return r.what
		}
	}
	if a.Is6() && !netip.MustParsePrefix("2000::/3").Contains(a) {
		return "outside of the public IPv6 range"
	}
	return ""
}

// forbidden says why the component must not connect to a, "" if it may. An
// IPv4 address in IPv6 clothes is judged as what it is.
func (h *Host) forbidden(a netip.Addr) string {
	a = a.Unmap()
	what := special(a)
	if what == "" {
		return ""
	}
	for _, p := range h.cfg.Networks {
		if p.Contains(a) {
			return ""
		}
	}
	return what
}

// control runs for every connection, after the name was resolved and before
// anything is sent: what it sees is where the packets go, so that a name that
// resolves differently the second time gains nothing.
func (h *Host) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return abi.NewError(abi.CodePermission, "network "+network+" is not granted")
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return abi.NewError(abi.CodePermission, "the address cannot be judged")
	}
	a := ap.Addr().Unmap()
	what := h.forbidden(a)
	if what == "" {
		return nil
	}
	h.logHost(fmt.Sprintf("the guest was kept from %s, %s; to allow it, add networks: [\"%s/%d\"] to the component's sandbox", a, what, a.WithZone(""), a.BitLen()))
	return abi.NewError(abi.CodePermission, "the address is not granted")
}

// reachable returns an error for a granted host that no connection can ever be
// made to, so that the operator hears of it at once.
func (h *Host) reachable(host string) error {
	a, err := netip.ParseAddr(host)
	if err != nil {
		if host != "localhost" && !strings.HasSuffix(host, ".localhost") {
			return nil
		}
		four, six := netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()
		if h.forbidden(four) == "" || h.forbidden(six) == "" {
			return nil
		}
		a = four
	}
	if what := h.forbidden(a); what != "" {
		return fmt.Errorf("%s is %s; add networks: [\"%s/%d\"] to the sandbox to allow it", host, what, a.Unmap().WithZone(""), a.Unmap().BitLen())
	}
	return nil
}

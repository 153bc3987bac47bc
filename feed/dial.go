package feed

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// errAddress does not name the address: who may name a host here need not learn
// what it stands for in our network.
var errAddress = errors.New("the address is not allowed: it is none of the public internet, and --webhooks-allow does not list it")

// A Guard says which addresses webhooks may reach: those of the public internet
// over https, and over http as well what is listed expressly. The nil Guard lists
// nothing. It looks at the address of every connection as it is made, so that no
// name can stand for one address when it is looked at and for another later.
type Guard struct{ allow []netip.Prefix }

// NewGuard returns a guard that allows addresses and networks in CIDR notation.
func NewGuard(allow []string) (*Guard, error) {
	g := new(Guard)
	for _, text := range allow {
		prefix, err := netip.ParsePrefix(text)
		if addr, aerr := netip.ParseAddr(text); aerr == nil && addr.Zone() == "" {
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return nil, &FieldError{"webhooks-allow", fmt.Sprintf("%.60q is neither an address nor a network, such as 10.1.0.0/16", text)}
		}
		if prefix.Addr().Is4In6() {
			return nil, &FieldError{"webhooks-allow", fmt.Sprintf("%.60q: write it as an IPv4 address", text)}
		}
		g.allow = append(g.allow, prefix.Masked())
	}
	return g, nil
}

// allowsAny reports whether anything is listed.
func (g *Guard) allowsAny() bool { return g != nil && len(g.allow) > 0 }

// check returns why an address may not be reached, or nil. Whether it may be
// reached because it is public, says public.
func (g *Guard) check(addr netip.Addr, public bool) error {
	addr = addr.Unmap()
	if g != nil && slices.ContainsFunc(g.allow, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return nil
	}
	if public && isPublic(addr) {
		return nil
	}
	return errAddress
}

// isPublic reports whether an address is of the public internet, by the IANA
// special-purpose registries (RFC 6890).
func isPublic(addr netip.Addr) bool {
	special := specialV4
	if !addr.Is4() {
		special = specialV6
		if !netip.MustParsePrefix("2000::/3").Contains(addr) { // all that is global unicast (RFC 4291 §2.4)
			return false
		}
	}
	return addr.IsValid() && addr.Zone() == "" && !slices.ContainsFunc(special(), func(p netip.Prefix) bool { return p.Contains(addr) })
}

func specialV4() []netip.Prefix {
	return prefixes(
		"0.0.0.0/8",        // this network
		"10.0.0.0/8",       // private
		"100.64.0.0/10",    // shared, behind carriers
		"127.0.0.0/8",      // loopback
		"168.63.129.16/32", // the host of a virtual machine at Azure
		"169.254.0.0/16",   // link-local, with the metadata of clouds
		"172.16.0.0/12",    // private
		"192.0.0.0/24",     // protocol assignments
		"192.0.2.0/24",     // documentation
		"192.88.99.0/24",   // relays of 6to4
		"192.168.0.0/16",   // private
		"198.18.0.0/15",    // benchmarks
		"198.51.100.0/24",  // documentation
		"203.0.113.0/24",   // documentation
		"224.0.0.0/4",      // multicast
		"240.0.0.0/4",      // reserved, broadcast
	)
}

// specialV6 are those of 2000::/3. The others, with loopback, private, link-local,
// multicast and what stands for IPv4 addresses by NAT64, are not public anyway.
func specialV6() []netip.Prefix {
	return prefixes(
		"2001::/23",     // protocol assignments, with Teredo
		"2001:db8::/32", // documentation
		"2002::/16",     // 6to4, which stands for IPv4 addresses
		"3fff::/20",     // documentation
	)
}

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

const (
	maxIdlePerTarget   = 16
	maxIdle            = 128
	idleFor            = 90 * time.Second
	maxHeaderOfAnswers = 16 << 10
)

// A transport makes connections that a guard allows, and asks no proxy.
type transport struct{ secure, plain *http.Transport }

// Transport returns what requests of webhooks go through. A resolver of nil is the
// usual one.
func (g *Guard) Transport(resolver *net.Resolver) http.RoundTripper {
	through := func(public bool) *http.Transport {
		dialer := &net.Dialer{
			Timeout: AttemptTimeout, Resolver: resolver,
			ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
				to, err := netip.ParseAddrPort(address)
				if err != nil {
					return errAddress
				}
				return g.check(to.Addr(), public)
			},
		}
		return &http.Transport{
			DialContext: dialer.DialContext, ForceAttemptHTTP2: true, DisableCompression: true,
			TLSHandshakeTimeout: AttemptTimeout, MaxIdleConns: maxIdle, MaxIdleConnsPerHost: maxIdlePerTarget, IdleConnTimeout: idleFor,
			MaxResponseHeaderBytes: maxHeaderOfAnswers,
		}
	}
	return &transport{secure: through(true), plain: through(false)}
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "https" {
		return t.secure.RoundTrip(r)
	}
	return t.plain.RoundTrip(r)
}

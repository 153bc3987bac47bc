package ocpp

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
)

// UpgradeOptions say how a server accepts a WebSocket.
type UpgradeOptions struct {
	// Protocols are the subprotocols that the server speaks, the best first.
	Protocols []string
	// Compression accepts permessage-deflate if the client offers it.
	Compression bool
	Timeouts    Timeouts
}

// ErrNoProtocol says that client and server have no subprotocol in common.
var ErrNoProtocol = errors.New("no common subprotocol")

// Upgrade makes a WebSocket of r and returns it with the subprotocol that was
// chosen. When it fails it has answered the client; a client that speaks none
// of the subprotocols gets a 400 that names them.
//
// The connection outlives the handler that calls Upgrade: let that return, and
// serve the connection on a goroutine of its own and with a context that is not
// the request's, so that neither the request nor the stack it grew stay.
func Upgrade(w http.ResponseWriter, r *http.Request, o UpgradeOptions) (Transport, string, error) {
	if !hasToken(r.Header, "Upgrade", "websocket") || !hasToken(r.Header, "Connection", "upgrade") {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
		http.Error(w, "this is a WebSocket endpoint", http.StatusUpgradeRequired)
		return nil, "", errors.New("not a WebSocket request")
	}
	protocol := chooseProtocol(r.Header, o.Protocols)
	if protocol == "" {
		text := fmt.Sprintf("no common subprotocol: this server speaks %s", strings.Join(o.Protocols, ", "))
		http.Error(w, text, http.StatusBadRequest)
		return nil, "", ErrNoProtocol
	}
	var n negotiation
	u := ws.HTTPUpgrader{
		Timeout:  handshakeTimeout,
		Protocol: func(string) bool { return true },
	}
	if o.Compression {
		u.Negotiate = n.negotiate
	}
	conn, rw, _, err := u.Upgrade(tidied(r, protocol), w)
	if err != nil {
		if conn != nil {
			_ = conn.Close() // the upgrade failed; nothing is left to lose
		}
		return nil, "", fmt.Errorf("upgrade: %w", err)
	}
	early, err := rw.Reader.Peek(rw.Reader.Buffered())
	if err != nil {
		_ = conn.Close()
		return nil, "", fmt.Errorf("upgrade: %w", err)
	}
	s := newSocket(conn, early, false, o.Timeouts)
	s.deflate, s.window = n.accepted, n.window
	return s, protocol, nil
}

// tidied returns r as the upgrader wants it, which reads only the first line or
// word of some headers and refuses a station for a stray comma in others.
func tidied(r *http.Request, protocol string) *http.Request {
	t := r.WithContext(r.Context())
	t.Header = r.Header.Clone()
	t.Header.Set("Connection", "Upgrade")
	t.Header.Set("Upgrade", "websocket")
	t.Header.Set("Sec-Websocket-Protocol", protocol)
	for _, line := range r.Header.Values("Sec-Websocket-Extensions") {
		if _, ok := httphead.ParseOptions([]byte(line), nil); !ok {
			t.Header.Del("Sec-Websocket-Extensions")
		}
	}
	return t
}

// chooseProtocol returns the first of ours that the client offers.
func chooseProtocol(h http.Header, ours []string) string {
	for _, p := range ours {
		if slices.Contains(tokens(h, "Sec-Websocket-Protocol"), p) {
			return p
		}
	}
	return ""
}

// tokens returns the comma-separated words of a header, on all of its lines.
func tokens(h http.Header, name string) []string {
	words := strings.Split(strings.Join(h.Values(name), ","), ",")
	for i, w := range words {
		words[i] = strings.TrimSpace(w)
	}
	return words
}

func hasToken(h http.Header, name, word string) bool {
	return slices.ContainsFunc(tokens(h, name), func(t string) bool { return strings.EqualFold(t, word) })
}

// A negotiation chooses among the extensions that a client offers.
type negotiation struct {
	accepted bool
	window   int // the longest message that the client can inflate
}

// negotiate accepts the first offer of permessage-deflate. Neither side keeps
// its context, whatever was offered: RFC 7692 §7.1.1 allows the server to say
// so. A client that limits the server's window gets compressed only what fits
// it, since the compressor cannot limit its own.
func (n *negotiation) negotiate(offer httphead.Option) (httphead.Option, error) {
	var p wsflate.Parameters
	if n.accepted || string(offer.Name) != wsflate.ExtensionName || p.Parse(offer) != nil {
		return httphead.Option{}, nil
	}
	n.accepted, n.window = true, MaxMessage
	if p.ServerMaxWindowBits.Defined() {
		n.window = p.ServerMaxWindowBits.Bytes()
	}
	answer := wsflate.Parameters{
		ServerNoContextTakeover: true,
		ClientNoContextTakeover: true,
		ServerMaxWindowBits:     p.ServerMaxWindowBits,
	}
	return answer.Option(), nil
}

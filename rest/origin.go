package rest

import "context"

// Origin returns scheme and host at which the client reached the service, such
// as https://example.org:8443; "" outside of a request. What a proxy in front
// was asked for it does not know: that is what a public URL is configured for.
func Origin(ctx context.Context) string {
	r := replyOf(ctx).request
	if r.Host == "" {
		return ""
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

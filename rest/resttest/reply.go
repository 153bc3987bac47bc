package resttest

import (
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
)

const (
	jsonType    = "application/json"
	problemType = "application/problem+json"
)

// A Reply is what a server answered to a request.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
	// Partial is set when Body is only the beginning, as of a stream that was
	// left; it is not looked at.
	Partial bool
}

// Breach returns what of a reply the document does not tell, or tells otherwise;
// nil for nothing. Of pages and of other things that are no operation, it
// says nothing.
func (c *Contract) Breach(r *http.Request, reply Reply) error {
	err := c.breach(r, reply)
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %d %s %.2000s breaks the document: %w",
		r.Method, r.URL.RequestURI(), reply.Status, reply.Header.Get("Content-Type"), reply.Body, err)
}

func (c *Contract) breach(r *http.Request, reply Reply) error {
	path := r.URL.EscapedPath()
	operation, template := c.Operation(r.Method, path)
	switch {
	case isPage(path), isPreflight(r, reply):
		return nil
	case template == "":
		return c.refusal(path, reply, http.StatusNotFound)
	case operation == nil:
		return c.wrongMethod(path, reply)
	}
	keys := []string{"paths", template, keyOf(r.Method), "responses", strconv.Itoa(reply.Status)}
	if c.At(keys...) == nil {
		return fmt.Errorf("it does not tell of %d", reply.Status)
	}
	return errors.Join(c.headersTold(keys, reply.Header), c.contentTold(keys, reply, r.Method == http.MethodHead))
}

// isPage reports whether a path is no operation by design: see rest.New.
func isPage(path string) bool {
	pages := []string{"/", "/%2F", "/%2f", "/docs", "/openapi.json", "/openapi.yaml", "/metrics"}
	return slices.Contains(pages, path) || strings.HasPrefix(path, "/docs/") || strings.HasPrefix(path, "/ocpp/")
}

// isPreflight reports whether a browser asks what it may ask (CORS).
func isPreflight(r *http.Request, reply Reply) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" && reply.Status == http.StatusNoContent
}

// wrongMethod holds a reply against what a method must get that a path does not
// have: 405, and the methods that it has.
func (c *Contract) wrongMethod(path string, reply Reply) error {
	has := map[string]bool{}
	for _, template := range c.templates(path) {
		for method := range c.paths[template].(map[string]any) {
			has[strings.ToUpper(method)] = true
		}
	}
	if has[http.MethodGet] {
		has[http.MethodHead] = true
	}
	want := slices.Sorted(maps.Keys(has))
	if reply.Status == http.StatusNotFound && strings.Contains(strings.ToUpper(path), "%2F") {
		return c.refusal(path, reply, http.StatusNotFound) // net/http takes it for two parts here, and for one elsewhere
	}
	allow := strings.Split(reply.Header.Get("Allow"), ", ")
	slices.Sort(allow)
	if err := c.refusal(path, reply, http.StatusMethodNotAllowed); err != nil || reply.Status == http.StatusTooManyRequests {
		return err
	}
	if !slices.Equal(allow, want) {
		return fmt.Errorf("it says Allow: %v, the document has %v", allow, want)
	}
	return nil
}

// refusal holds a reply against how a façade refuses what it does not have.
func (c *Contract) refusal(path string, reply Reply, status int) error {
	if reply.Status != status && reply.Status != http.StatusTooManyRequests {
		return fmt.Errorf("it is not there, which is %d", status)
	}
	if len(reply.Body) == 0 {
		return nil // HEAD
	}
	if contentType, _, _ := mime.ParseMediaType(reply.Header.Get("Content-Type")); contentType == problemType {
		return nil
	}
	keys := c.errorSchema(path)
	if keys == nil {
		return errors.New("it is no problem+json")
	}
	return c.validate(reply.Body, keys...)
}

// headersTold wants each header of a reply to be described, but for those that
// HTTP itself explains.
func (c *Contract) headersTold(response []string, header http.Header) error {
	var wrong []error
	told, _ := c.At(append(slices.Clone(response), "headers")...).(map[string]any)
	known := map[string]bool{}
	for name := range told {
		known[textproto.CanonicalMIMEHeaderKey(name)] = true
	}
	for name := range header {
		if !known[name] && !ofHTTP(name) {
			wrong = append(wrong, fmt.Errorf("it does not tell of the header %s", name))
		}
	}
	return errors.Join(wrong...)
}

// ofHTTP reports whether a header needs no word in the document.
func ofHTTP(name string) bool {
	switch name {
	case "Cache-Control", "Connection", "Content-Encoding", "Content-Length", "Content-Security-Policy", "Content-Type", "Date",
		"Referrer-Policy", "Strict-Transport-Security", "Trailer", "Transfer-Encoding", "Vary", "X-Content-Type-Options":
		return true
	}
	return strings.HasPrefix(name, "Access-Control-")
}

// contentTold holds content type and body against a response of the document.
func (c *Contract) contentTold(response []string, reply Reply, head bool) error {
	content, _ := c.At(append(slices.Clone(response), "content")...).(map[string]any)
	header := reply.Header.Get("Content-Type")
	if len(content) == 0 {
		if len(reply.Body) > 0 || header != "" {
			return errors.New("it tells of no body")
		}
		return nil
	}
	contentType, _, err := mime.ParseMediaType(header)
	if err != nil {
		return fmt.Errorf("Content-Type: %w", err)
	}
	if _, ok := content[contentType]; !ok {
		return fmt.Errorf("it does not tell of %s", contentType)
	}
	if head || reply.Partial || contentType != jsonType && !strings.HasSuffix(contentType, "+json") {
		return nil
	}
	return c.validate(reply.Body, append(slices.Clone(response), "content", contentType, "schema")...)
}

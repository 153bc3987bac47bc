package barrage

import (
	"fmt"
	"net/url"
	"strings"
)

// A kind says what is wanted of the reply to a request.
type kind int

const (
	valid   kind = iota // whatever the document tells
	broken              // a refusal
	hostile             // no harm
)

// A request is what is thrown, to the letter.
type request struct {
	op     *operation
	kind   kind
	what   string // is wrong with it
	method string
	path   []string    // decoded values of the path's parts
	target string      // as sent; made of path and query when ""
	query  [][2]string // not escaped
	raw    string      // of the query, beside the pairs
	header [][2]string
	body   string
	length string // Content-Length; "" is the truth, "chunked" sends chunks
	leave  bool   // the connection ends with the body
}

// set sets a header, in place of one of that name.
func (r *request) set(name, value string) {
	for i := range r.header {
		if strings.EqualFold(r.header[i][0], name) {
			r.header[i][1] = value
			return
		}
	}
	r.header = append(r.header, [2]string{name, value})
}

// reads reports whether it changes nothing by its method.
func (r *request) reads() bool { return r.method == "GET" || r.method == "HEAD" }

func (r *request) drop(name string) {
	for i := range r.header {
		if strings.EqualFold(r.header[i][0], name) {
			r.header = append(r.header[:i], r.header[i+1:]...)
			return
		}
	}
}

// uri returns the target as it is sent.
func (r *request) uri() string {
	if r.target != "" {
		return r.target
	}
	var b strings.Builder
	for _, part := range r.path {
		b.WriteString("/" + url.PathEscape(part))
	}
	var pairs []string
	for _, q := range r.query {
		pairs = append(pairs, url.QueryEscape(q[0])+"="+url.QueryEscape(q[1]))
	}
	if r.raw != "" {
		pairs = append(pairs, r.raw)
	}
	if len(pairs) > 0 {
		b.WriteString("?" + strings.Join(pairs, "&"))
	}
	return b.String()
}

// wire returns the request as it is sent.
func (r *request) wire() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: leyden.test\r\n", r.method, r.uri())
	for _, h := range r.header {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	switch {
	case r.length == "chunked":
		fmt.Fprintf(&b, "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(r.body), r.body)
		return b.String()
	case r.length != "":
		fmt.Fprintf(&b, "Content-Length: %s\r\n", r.length)
	case r.body != "" || r.method != "GET":
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.body))
	}
	return b.String() + "\r\n" + r.body
}

// String says the request in one line.
func (r *request) String() string {
	kinds := map[kind]string{valid: "valid", broken: "broken", hostile: "hostile"}
	return fmt.Sprintf("%s (%s: %s) %.4000q", r.op.id, kinds[r.kind], r.what, r.wire())
}

// request makes the next request for an operation.
func (m *maker) request(op *operation, credentials [][2]string) *request {
	r := &request{op: op, method: op.method, what: "as documented"}
	r.header = append(r.header, credentials[0])
	value := m.params(r)
	if op.body != nil && (op.bodyRequired || m.chance(80)) {
		m.fill(r, value)
	}
	switch n := m.rng.IntN(100); {
	case n < 36:
		m.embellish(r)
	case n < 66:
		m.breakRequest(r)
	default:
		m.spoil(r, credentials)
	}
	return r
}

// params gives the parameters of a request values, and returns the body.
func (m *maker) params(r *request) *node {
	values := map[string]string{}
	for _, p := range r.op.params {
		if p.in != "path" && !p.required && !m.chance(25) {
			continue
		}
		text := m.param(p, r.op.collection())
		switch p.in {
		case "path":
			values[p.name] = text
		case "query":
			if text != "" {
				r.query = append(r.query, [2]string{p.name, text})
			}
		case "header":
			r.set(p.name, text)
		}
	}
	collection := ""
	for part := range strings.SplitSeq(strings.TrimPrefix(r.op.path, "/"), "/") {
		name, ok := strings.CutPrefix(part, "{")
		if !ok {
			collection = part
			r.path = append(r.path, part)
			continue
		}
		name = strings.TrimSuffix(name, "}")
		if text, told := m.pool.pick(m.rng, name, collection+"/id"); told && m.chance(40) {
			values[name] = text
		}
		if text, told := m.pool.pick(m.rng, collection+"/id"); told && m.chance(50) {
			values[name] = text
		}
		r.path = append(r.path, values[name])
	}
	if r.op.body == nil {
		return nil
	}
	return m.value(r.op.body, "", r.op.collection(), 0)
}

// param returns a value for a parameter, as its schema allows.
func (m *maker) param(p param, collection string) string {
	s := resolve(m.document, p.schema)
	types, _ := typesOf(s)
	switch {
	case len(types) == 0 || types[0] == "string":
		return m.text(s, p.name, collection)
	case types[0] == "array":
		items, _ := s["items"].(schema)
		return m.text(resolve(m.document, items), p.name, collection)
	}
	return m.scalar(s, p.name, collection)
}

// fill gives a request a body.
func (m *maker) fill(r *request, value *node) {
	r.set("Content-Type", r.op.contentType)
	switch {
	case strings.Contains(r.op.contentType, "json"):
		r.body = value.json()
	case strings.Contains(r.op.contentType, "form"):
		form := url.Values{}
		for _, f := range value.fields {
			form.Set(f.name, strings.Trim(f.value.raw, `"`))
		}
		r.body = form.Encode()
	default:
		r.body = "idTag,status\nTAG" + m.letters(3) + ",Accepted\n"
	}
}

// embellish adds what a good client may add.
func (m *maker) embellish(r *request) {
	if r.method == "POST" && m.chance(20) {
		r.set("Idempotency-Key", "key-"+m.letters(3))
	}
	if m.chance(10) {
		r.set("Accept", "application/problem+json")
	}
	if m.chance(5) && r.method == "GET" {
		r.method = "HEAD"
	}
	if m.chance(5) && r.body != "" {
		r.length = "chunked"
	}
}

// breakRequest breaks one constraint of a request.
func (m *maker) breakRequest(r *request) {
	breaks := []func(*request) string{m.breakBody, m.breakBody, m.breakQuery, m.breakQuery, m.strangeQuery}
	m.rng.Shuffle(len(breaks), func(i, j int) { breaks[i], breaks[j] = breaks[j], breaks[i] })
	for _, f := range breaks {
		if what := f(r); what != "" {
			r.kind, r.what = broken, what
			return
		}
	}
}

func (m *maker) breakBody(r *request) string {
	if r.op.body == nil || !strings.Contains(r.op.contentType, "json") {
		return ""
	}
	value := m.value(r.op.body, "", r.op.collection(), 0)
	value.spare = !r.op.bodyRequired
	what := m.breakOne(value)
	m.fill(r, value)
	return what
}

func (m *maker) breakQuery(r *request) string {
	var queries []param
	for _, p := range r.op.params {
		if p.in == "query" {
			queries = append(queries, p)
		}
	}
	if len(queries) == 0 {
		return ""
	}
	p := queries[m.rng.IntN(len(queries))]
	s := resolve(m.document, p.schema)
	text, what := m.breakText(s)
	if types, _ := typesOf(s); what == "" || text == "" || types[0] == "boolean" {
		return ""
	}
	r.without(p.name)
	r.query = append(r.query, [2]string{p.name, text})
	return p.name + " " + what
}

// without takes a query parameter away.
func (r *request) without(name string) {
	for i, q := range r.query {
		if q[0] == name {
			r.query = append(r.query[:i], r.query[i+1:]...)
			return
		}
	}
}

func (m *maker) strangeQuery(r *request) string {
	if strings.HasPrefix(r.op.path, "/oauth2") || r.op.path == "/healthz" || r.op.path == "/readyz" || len(r.query) == 0 {
		r.query = append(r.query, [2]string{"unknown", "1"})
		return "an unknown parameter"
	}
	one := r.query[m.rng.IntN(len(r.query))]
	switch m.rng.IntN(3) {
	case 0:
		r.query = append(r.query, one)
		return one[0] + " twice"
	case 1:
		r.without(one[0])
		r.raw = url.QueryEscape(one[0]) + "="
		return one[0] + " empty"
	}
	r.query = append(r.query, [2]string{strings.ToUpper(one[0]), one[1]})
	return "an unknown parameter"
}

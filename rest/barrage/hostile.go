package barrage

import (
	"strings"
)

// spoil makes a request hostile.
func (m *maker) spoil(r *request, credentials [][2]string) {
	r.kind = hostile
	spoils := []func(*request) string{
		m.spoilBody, m.spoilBody, m.spoilBody, m.spoilType, m.spoilPath, m.spoilPath, m.spoilQuery, m.spoilMethod,
		m.spoilHeader, m.spoilHeader, m.spoilFraming,
		func(r *request) string { return m.spoilCredential(r, credentials) },
	}
	for range 1 + m.rng.IntN(2) {
		r.what = spoils[m.rng.IntN(len(spoils))](r)
	}
}

func (m *maker) spoilBody(r *request) string {
	if r.op.body == nil {
		return m.spoilPath(r)
	}
	bodies := []string{
		"", " ", "null", "true", "0", `""`, "[]", "{}", "[{}]", "{", "}", `{"a"`, `{"a":}`, `{"a":1,}`, "{}{}", "{} x", "NaN", "Infinity",
		`{"connectorId":NaN}`, `{"connectorId":1e400}`, `{"connectorId":-1e400}`, `{"connectorId":99999999999999999999999999}`,
		`{"connectorId":1,"connectorId":2}`, `{"connectorId":1,"CONNECTORID":2}`, `{"connectorId":01}`, `{"connectorId":+1}`, `{"connectorId":0x1}`,
		`{"connectorId":-0}`, `{"connectorId":"1"}`, `{"idTag":"\u0000"}`, "{\"idTag\":\"a\x00b\"}", `{"idTag":"\ud800"}`, "{\"idTag\":\"\xff\xfe\"}",
		"\xef\xbb\xbf{}", `{"__proto__":{"a":1}}`, `{"":1}`, `{"idTag":"` + strings.Repeat("A", 70_000) + `"}`,
		strings.Repeat("[", 40) + strings.Repeat("]", 40), strings.Repeat(`{"a":`, 5000), strings.Repeat("[", 60_000),
		strings.Repeat(`{"a":`, 31) + "1" + strings.Repeat("}", 31), `{"` + strings.Repeat("k", 3000) + `":1}`,
		"/* c */ {}", "{'a':1}", "\x00", "\x1f\x8b\x08\x00", "a=1&b=2", "<xml/>", "----x\r\nContent-Disposition: form-data",
	}
	if m.chance(30) && len(r.body) > 2 {
		return m.damage(r)
	}
	if m.chance(20) {
		return m.poison(r)
	}
	r.body = bodies[m.rng.IntN(len(bodies))]
	r.set("Content-Type", r.op.contentType)
	return "a hostile body"
}

// damage changes some bytes of the body.
func (m *maker) damage(r *request) string {
	b := []byte(r.body)
	for range 1 + m.rng.IntN(3) {
		switch at := m.rng.IntN(len(b)); m.rng.IntN(3) {
		case 0:
			b[at] = byte(m.rng.IntN(256))
		case 1:
			b = b[:at+1]
		default:
			b = append(b[:at+1], b[at:]...)
		}
	}
	r.body = string(b)
	return "a damaged body"
}

// poison puts a hostile value where a text was.
func (m *maker) poison(r *request) string {
	value := m.value(r.op.body, "", r.op.collection(), 0)
	var all []*node
	collect(value, &all)
	one := all[m.rng.IntN(len(all))]
	values := []string{
		`"\u0000"`, `"\u202e"`, `"` + strings.Repeat("ä", 2000) + `"`, `"'; DROP TABLE x; --"`, `"=cmd|' /C calc'!A0"`, `"<script>"`, `"../../etc/passwd"`,
		`"\ud800"`, `"\r\nX-Evil: 1"`, "-9223372036854775808", "9223372036854775807", "18446744073709551616", "1e308", "-0", "1e-400", "2147483648",
		`"0000-00-00T00:00:00Z"`, `"9999-12-31T23:59:59Z"`, `"0001-01-01T00:00:00Z"`, `""`, `" "`, `"%s%n"`, "[[[[]]]]", `{"a":{"b":[null]}}`,
	}
	one.raw = values[m.rng.IntN(len(values))]
	m.fill(r, value)
	return "a hostile value"
}

func (m *maker) spoilType(r *request) string {
	types := []string{
		"text/plain", "application/xml", "multipart/form-data", "multipart/form-data; boundary=x", "application/json; charset=utf-16", "application/JSON",
		"application/json;", "application/json; charset", "json", ";", "a/b/c", "application/x-www-form-urlencoded", "application/merge-patch+json",
		strings.Repeat("a", 2000) + "/b", "\x80", "text/csv; header=absent", "application/json, text/plain",
	}
	r.set("Content-Type", types[m.rng.IntN(len(types))])
	return "a wrong content type"
}

func (m *maker) spoilPath(r *request) string {
	parts := []string{
		"..", ".", "", "%", "%00", "%2e%2e", "%2F", "%zz", "%ff", "%c0%af", "a%20b", "a b", "\x01", "ä", strings.Repeat("9", 30), strings.Repeat("x", 3000), "-1", "0",
		"2147483648", "9223372036854775808", "1e3", "txn_", "txn_" + strings.Repeat("a", 26), "chg_x", "null", "undefined", "{id}", "*", "~", ";a=b", "a;b", "a?b", "a#b",
		"%F0%9F%98%80", "con", "..%5c..%5c", "'", `"`, "<script>", "0x10", "00000000010203", "+1", "1.0",
	}
	part := parts[m.rng.IntN(len(parts))]
	var params []int
	for i, text := range strings.Split(strings.TrimPrefix(r.op.path, "/"), "/") {
		if strings.HasPrefix(text, "{") {
			params = append(params, i)
		}
	}
	escaped := strings.Split(strings.TrimPrefix(strings.SplitN(r.uri(), "?", 2)[0], "/"), "/")
	at := m.rng.IntN(len(escaped))
	if len(params) > 0 && m.chance(80) {
		at = params[m.rng.IntN(len(params))]
	}
	if at >= len(escaped) {
		return "as documented"
	}
	escaped[at] = part
	if m.chance(10) {
		escaped = append(escaped, "", "x")
	}
	r.target = "/" + strings.Join(escaped, "/")
	return "a hostile path"
}

func (m *maker) spoilQuery(r *request) string {
	raws := []string{
		"%", "%zz=1", "a=%", "a=%00", "=", "&&&", "a", "a=b;c=d", "limit=1&limit=2", "limit=", "limit=-1", "limit=999999999999999999999", "limit=NaN", "limit=1e3", "limit=0x10",
		"limit=%31", "offset=-1", "offset=2147483648", "offset=9223372036854775807", "cursor=", "cursor=garbage", "cursor=AAAA", "cursor=%00%ff", "cursor=" + strings.Repeat("A", 4000),
		"cursor=eyJhIjoxfQ", "cursor=eyJhIjoxfQ&offset=1", "sort=", "sort=-", "sort=--transactionId", "sort=password", "from=2026-01-01T00:00:00+02:00", "from=9999-12-31T23:59:59Z&to=0001-01-01T00:00:00Z",
		"from=0000-01-01T00:00:00Z", "filterBy=EndAt&orderBy=EndAt", "page=0", "page=2147483647&limit=2000", "page=99999999999", "format=exe", "format=csv&limit=1", "expand=x,,y", "wait=-1", "after=-1", "after=9223372036854775807",
		"status=x", "status=,", "status=completed,,active", strings.Repeat("a=1&", 2000), "a[]=1", "a.b=1", "%E0%A4%A", "x=" + strings.Repeat("%41", 3000), "\x7f=1", "limit=١",
	}
	r.raw = raws[m.rng.IntN(len(raws))]
	if m.chance(50) {
		r.query = nil
	}
	return "a hostile query"
}

func (m *maker) spoilMethod(r *request) string {
	methods := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", "Post", "BREW", "PROPFIND", "M-SEARCH", strings.Repeat("A", 200), "CONNECT"}
	r.method = methods[m.rng.IntN(len(methods))]
	return "another method"
}

func (m *maker) spoilHeader(r *request) string {
	long := strings.Repeat("h", 3000)
	headers := [][2]string{
		{"Idempotency-Key", ""}, {"Idempotency-Key", strings.Repeat("k", 256)}, {"Idempotency-Key", strings.Repeat("k", 255)}, {"Idempotency-Key", "\x80\xff"},
		{"Idempotency-Key", "a b"}, {"Idempotency-Key", "key-1"}, {"If-Match", "*"}, {"If-Match", `"0"`}, {"If-Match", `W/"1"`}, {"If-Match", "garbage"}, {"If-Match", `"1", "2"`},
		{"If-None-Match", "*"}, {"If-Match", long}, {"Last-Event-ID", "-1"}, {"Last-Event-ID", "garbage"}, {"Last-Event-ID", "9223372036854775808"},
		{"Accept", "*/*;q=0"}, {"Accept", "text/html"}, {"Accept", "application/problem+json;q=x"}, {"Accept", long}, {"Accept", "text/event-stream"}, {"Accept-Encoding", "gzip, br;q=9"},
		{"X-Request-ID", "a\tb"}, {"X-Request-ID", `"><script>`}, {"X-Request-ID", long}, {"X-Request-ID", "ok-1"}, {"X-Forwarded-For", "127.0.0.1, ::1"}, {"Forwarded", "for=x"},
		{"X-HTTP-Method-Override", "DELETE"}, {"Origin", "https://evil.example"}, {"Access-Control-Request-Method", "DELETE"}, {"Range", "bytes=0-1,5-6"}, {"Expect", "200-ok"}, {"TE", "trailers"},
		{"Upgrade", "websocket"}, {"Cookie", "a=" + long}, {"Content-Encoding", "gzip"}, {"Content-Language", "x"}, {"If-Modified-Since", "yesterday"}, {"Prefer", "respond-async"}, {"Content-MD5", "x"},
	}
	h := headers[m.rng.IntN(len(headers))]
	r.set(h[0], h[1])
	return "the header " + h[0]
}

// spoilFraming lies about the body. Nothing after it can be read on the
// connection.
func (m *maker) spoilFraming(r *request) string {
	r.leave = true
	switch m.rng.IntN(4) {
	case 0:
		r.length = "18446744073709551616"
	case 1:
		r.length = "-1"
	case 2:
		r.length, r.body = "10", r.body+"{}"
	default:
		r.length = "5000000000"
	}
	return "a length that lies"
}

func (m *maker) spoilCredential(r *request, credentials [][2]string) string {
	r.drop(r.header[0][0])
	if m.chance(60) && len(credentials) > 1 {
		one := credentials[1+m.rng.IntN(len(credentials)-1)]
		r.set(one[0], one[1])
		return "another credential"
	}
	wrong := [][2]string{
		{"X-API-Key", "wrong"}, {"X-API-Key", ""}, {"X-API-Key", strings.Repeat("k", 5000)}, {"X-API-Key", "\x80"}, {"Authorization", "Bearer"}, {"Authorization", "Bearer x.y.z"},
		{"Authorization", "Bearer eyJhbGciOiJub25lIn0.eyJzY29wZSI6ImFkbWluIn0."}, {"Authorization", "Basic eDp5"}, {"Authorization", "Basic %%%"}, {"Authorization", "Digest x"},
	}
	one := wrong[m.rng.IntN(len(wrong))]
	r.set(one[0], one[1])
	return "a wrong credential"
}

package csms

import (
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"leyden/ocpp"
)

// masked stands where a secret was.
const masked = "***"

// maskRequest returns the payload of a CALL, or the whole CALL, without the
// secrets in it: the value of a setting whose key is AuthorizationKey, in
// whatever case, or names another secret; what a DataTransfer says of one;
// passwords in URLs; and private keys. Whatever is no secret stays byte for byte.
// A text that is no JSON and may hold a secret is masked whole.
func maskRequest(action, payload string) string {
	return newMasking(action).apply(payload)
}

// maskAnswer is maskRequest for an answer. A station may repeat what it was
// sent with ChangeConfiguration, so of an answer to that only the status is left.
func maskAnswer(action, payload string) string {
	if action == "ChangeConfiguration" {
		return maskEcho(action, payload)
	}
	return maskRequest(action, payload)
}

// maskEcho masks an answer to a call with a secret: of its texts only the status
// is left, or the code if it is a CALLERROR.
func maskEcho(action, answer string) string {
	m := newMasking(action)
	m.echo = true
	return m.apply(answer)
}

// maskBroken masks a frame that cannot be read: whole, if it mentions a secret,
// since nobody knows where that ends.
func maskBroken(frame string) string {
	plain := unescaped(frame)
	if secretName(plain) || maskText(plain) != plain {
		return `"` + masked + `"`
	}
	return frame
}

// A masking is what is looked for in one message.
type masking struct {
	settings bool // it may tell of settings, some of which are secrets
	texts    bool // and do so in a text of its own making
	echo     bool // it may repeat a secret
}

// newMasking returns what to look for in messages of an action. Those of an
// unknown one may be anything.
func newMasking(action string) masking {
	switch action {
	case "ChangeConfiguration", "GetConfiguration":
		return masking{settings: true}
	case "DataTransfer", "":
		return masking{settings: true, texts: true}
	}
	return masking{}
}

func (m masking) apply(text string) string {
	if !m.suspects(text) {
		return text
	}
	s := search{masking: m, text: text}
	if !s.run() {
		if m.echo {
			return `"` + masked + `"`
		}
		return maskBroken(text)
	}
	return s.result()
}

// suspects tells cheaply whether there may be a secret in text.
func (m masking) suspects(text string) bool {
	return m.echo || strings.IndexByte(text, '\\') >= 0 || strings.Contains(text, "://") ||
		strings.Contains(text, "PRIVATE KEY") || m.settings && secretName(text)
}

// secretName reports whether a name is that of a secret, or a text mentions one.
// Beside AuthorizationKey vendors have keys of their own for passwords of
// networks, mail and the like.
func secretName(name string) bool {
	name = strings.ToLower(name)
	for _, word := range [...]string{"authorizationkey", "password", "passphrase", "secret"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// maxMaskDepth is beyond how deep the objects and lists of a sound frame nest.
const maxMaskDepth = ocpp.MaxDepth + 1

// A cut is a part of a text and what is put there instead.
type cut struct {
	from, to int
	instead  string
}

// A search finds the secrets in a JSON text.
type search struct {
	masking
	text string
	open []container // the objects and lists around the present place
	cuts []cut
}

// A container is an object or a list that has begun.
type container struct {
	object bool
	named  bool   // of an object: a value comes next, not a name
	name   string // of the present property, in lower case
	count  int    // how many values have begun
	from   int    // where it begins
	told   bool   // it names a secret
	values []cut  // which is one of these
}

// run reports whether the text could be read.
func (s *search) run() bool {
	dec := json.NewDecoder(strings.NewReader(s.text))
	dec.UseNumber()
	for at := 0; ; {
		token, err := dec.Token()
		if err != nil {
			return len(s.open) == 0 && strings.Trim(s.text[at:], " \t\r\n") == ""
		}
		to := int(dec.InputOffset())
		from := at + len(s.text[at:to]) - len(strings.TrimLeft(s.text[at:to], " \t\r\n,:"))
		at = to
		if s.token(token, from, to); len(s.open) > maxMaskDepth {
			return false
		}
	}
}

func (s *search) token(token json.Token, from, to int) {
	switch token {
	case json.Delim('{'), json.Delim('['):
		s.begin()
		s.open = append(s.open, container{object: token == json.Delim('{'), from: from})
		return
	case json.Delim('}'), json.Delim(']'):
		last := len(s.open) - 1
		c := s.open[last]
		s.open = s.open[:last]
		if c.told {
			s.cuts = append(s.cuts, c.values...)
		}
		s.end(c.from, to, nil)
		return
	}
	if text, ok := token.(string); ok && s.inObject() && !s.here().named {
		s.property(text, from, to)
		return
	}
	s.begin()
	s.scalar(token, from, to)
	s.end(from, to, token)
}

func (s *search) inObject() bool { return len(s.open) > 0 && s.here().object }

func (s *search) here() *container { return &s.open[len(s.open)-1] }

// property begins a property of the present object.
func (s *search) property(name string, from, to int) {
	s.here().named, s.here().name = true, strings.ToLower(name)
	if m := maskText(name); m != name {
		s.cut(from, to, m)
	}
}

// begin counts a value of the present container.
func (s *search) begin() {
	if len(s.open) > 0 {
		s.here().count++
	}
}

// scalar looks at one value by itself.
func (s *search) scalar(token json.Token, from, to int) {
	text, isText := token.(string)
	_, isNumber := token.(json.Number)
	switch {
	case s.echo && (isText || isNumber) && !s.harmless():
		s.cut(from, to, masked)
	case s.texts && isText && secretName(text) && !s.names():
		s.cut(from, to, masked)
	case isText:
		if m := maskText(text); m != text {
			s.cut(from, to, m)
		}
	}
}

// harmless reports whether the present value cannot repeat a secret: it is the
// status of an answer, or type, id or error code of a frame.
func (s *search) harmless() bool {
	if s.inObject() {
		return s.here().name == "status"
	}
	const code = 3 // is the third element of a CALLERROR
	return len(s.open) == 1 && s.here().count <= code
}

// names reports whether the present value tells what others in its object are.
func (s *search) names() bool {
	if !s.inObject() {
		return false
	}
	switch s.here().name {
	case "key", "messageid", "vendorid":
		return true
	}
	return false
}

// end ends a value of the present container. token is nil for a container.
func (s *search) end(from, to int, token json.Token) {
	if !s.inObject() {
		return
	}
	c := s.here()
	c.named = false
	if !s.settings {
		return
	}
	text, _ := token.(string)
	switch {
	case s.names():
		c.told = c.told || secretName(text)
	case secretName(c.name):
		s.cut(from, to, masked)
	case c.name == "value" || c.name == "data":
		c.values = append(c.values, cut{from, to, quoted(masked)})
	}
}

func (s *search) cut(from, to int, text string) {
	s.cuts = append(s.cuts, cut{from, to, quoted(text)})
}

func quoted(text string) string { return string(ocpp.AppendText(nil, text)) }

// result returns the text without what is cut.
func (s *search) result() string {
	slices.SortFunc(s.cuts, func(a, b cut) int { // the one that leaves least comes first
		return cmp.Or(a.from-b.from, b.to-a.to, len(a.instead)-len(b.instead))
	})
	var b strings.Builder
	at := 0
	for _, c := range s.cuts {
		if c.from < at {
			continue // within the one before
		}
		b.WriteString(s.text[at:c.from])
		b.WriteString(c.instead)
		at = c.to
	}
	b.WriteString(s.text[at:])
	return b.String()
}

// privateKey matches one in PEM (RFC 7468), also if its end is missing.
var privateKey = regexp.MustCompile(`(?s)-----BEGIN [^-]*PRIVATE KEY-----.*?(?:-----END [^-]*PRIVATE KEY-----|$)`)

// maskText masks private keys in a text, and passwords in its URLs.
func maskText(text string) string {
	if strings.Contains(text, "PRIVATE KEY") {
		text = privateKey.ReplaceAllString(text, masked)
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "://")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("://")
		if from, to := passwordIn(rest); from < to {
			b.WriteString(rest[:from])
			b.WriteString(masked)
			rest = rest[to:]
		}
		text = rest
	}
}

// passwordIn returns where the password is in a URL that lacks its scheme, or
// nothing. One with a slash in it, which should have been escaped, is found too.
func passwordIn(url string) (from, to int) {
	if i := strings.IndexAny(url, " \t\r\n\"<>"); i >= 0 {
		url = url[:i]
	}
	host := url
	if i := strings.IndexAny(url, "/?#"); i >= 0 {
		host = url[:i]
	}
	user, port, ok := strings.Cut(host, ":")
	if !ok {
		return 0, 0
	}
	end := strings.LastIndexByte(host, '@')
	if end < 0 && !strings.HasPrefix(host, "[") && strings.Trim(port, "0123456789") != "" {
		end = strings.LastIndexByte(url, '@')
	}
	return len(user) + 1, end
}

// unescaped returns a text that is no JSON as a reader would see it who does not
// mind: without escapes.
func unescaped(text string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, `\`)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		if len(rest) >= 5 && rest[0] == 'u' {
			var r string
			if json.Unmarshal([]byte(`"\`+rest[:5]+`"`), &r) == nil {
				b.WriteString(r)
				rest = rest[5:]
			}
		}
		text = rest
	}
}

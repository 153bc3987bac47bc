package csms

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"leyden/ocpp"
)

// masked stands where a secret was.
const masked = "***"

// maskRequest returns the payload of a CALL, or the whole CALL, without the
// secrets in it: the value of a setting or a property whose name is that of a
// secret (see secretName); what a DataTransfer says of one; what maskText finds in
// texts. Whatever is no secret stays byte for byte. A text that is no JSON and may
// hold a secret is masked whole.
func maskRequest(action, payload string) string {
	return newMasking(action).apply(payload)
}

// Masked returns a JSON text without the secrets that package csms finds in the
// messages of stations, whatever they are about.
func Masked(text string) string { return maskRequest("", text) }

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

// maskError masks a CALLERROR, or the details that came with it. The words of
// one are anybody's: what mentions a secret is masked whole.
func maskError(text string) string { return masking{texts: true}.apply(text) }

// maskWords masks what a station says in an error.
func maskWords(words string) string {
	if mentionsSecret(words) {
		return masked
	}
	return maskText(words)
}

// maskBroken masks a frame that cannot be read: whole, if it mentions a secret,
// since nobody knows where that ends.
func maskBroken(frame string) string {
	plain := unescaped(frame)
	if maskWords(plain) != plain {
		return `"` + masked + `"`
	}
	return frame
}

// A masking is what is looked for in one message.
type masking struct {
	texts bool // a text may tell of a secret in a form of its own
	echo  bool // it may repeat a secret
}

// newMasking returns what to look for in messages of an action. Those of an
// unknown one may be anything.
func newMasking(action string) masking {
	return masking{texts: action == "DataTransfer" || action == ""}
}

// repeats reports whether the answer to a call of an action may repeat a secret of
// it in a form of its own.
func repeats(action string) bool {
	switch action {
	case "ChangeConfiguration", "DataTransfer", "":
		return true
	}
	return false
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
	return m.echo || !plain(text) && suspicious(text)
}

// suspicious is what suspects asks, whatever the masking, of a text that is not plain.
func suspicious(text string) bool {
	return strings.ContainsAny(text, `\@`) || strings.Contains(text, "://") ||
		strings.Contains(text, "=") && strings.ContainsAny(text, "?&") || hintsAtSecret(text)
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
	secret bool   // the present property is a secret by its name
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
	c := s.here()
	c.named, c.name, c.secret = true, strings.ToLower(name), secretName(name)
	s.replace(name, maskText(name), from, to)
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
	case s.texts && isText && mentionsSecret(text) && !s.names():
		s.cut(from, to, masked)
	case isText && s.identifies():
		s.replace(text, MaskedKeys(text), from, to)
	case isText:
		s.replace(text, maskText(text), from, to)
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

// identifies reports whether the present value is an idTag or the id of a frame,
// which may look like anything.
func (s *search) identifies() bool {
	if s.inObject() {
		return s.here().name == "idtag" || s.here().name == "parentidtag"
	}
	const id = 2 // is the second element of a frame
	return len(s.open) == 1 && s.here().count == id
}

// names reports whether the present value tells what others in its object are.
func (s *search) names() bool {
	if !s.inObject() {
		return false
	}
	switch s.here().name {
	case "key", "name", "parameter", "messageid", "vendorid":
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
	text, _ := token.(string)
	switch {
	case s.names():
		c.told = c.told || secretName(text)
	case c.secret && !wordless(s.text[from:to]):
		s.cut(from, to, masked)
	case c.name == "value" || c.name == "data":
		c.values = append(c.values, cut{from, to, quoted(masked)})
	}
}

// wordless reports whether a value says too little to be a secret.
func wordless(value string) bool {
	return value == "null" || value == "true" || value == "false"
}

// replace cuts a text unless what is left of it is the same.
func (s *search) replace(text, left string, from, to int) {
	if left != text {
		s.cut(from, to, left)
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

package csms

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// secretKinds are what the names of secrets have in them, in lower case and
// without what separates words. Beside AuthorizationKey vendors have keys of their
// own for passwords of networks, mail, portals and the like.
var secretKinds = [...]string{
	"authorizationkey", "password", "passwd", "passphrase", "passcode", "secret", "credential",
	"apikey", "accesskey", "privatekey", "sharedkey", "encryptionkey",
}

// secretWords make a name that of a secret if they are whole words of it.
var secretWords = [...]string{"pin", "puk", "psk", "pwd", "pass", "pincode", "simpin", "simpuk"}

// secretName reports whether a name, of a setting or a property, is that of a
// secret. An idToken is none: it is who charges.
func secretName(name string) bool {
	if mentionsSecret(name) || strings.Contains(strings.ReplaceAll(squeezed(name), "idtoken", ""), "token") {
		return true
	}
	return slices.ContainsFunc(wordsOf(name), func(word string) bool { return slices.Contains(secretWords[:], word) })
}

// mentionsSecret reports whether a text speaks of a secret: where in it that is,
// nobody knows.
func mentionsSecret(text string) bool {
	text = squeezed(text)
	return slices.ContainsFunc(secretKinds[:], func(kind string) bool { return strings.Contains(text, kind) })
}

// secretHints are in every name of a secret, and in what we make: key, token,
// secret, credential, password, pwd, pin, puk, psk. Letters are lower case, the
// underscore is lowBar.
var secretHints = [...]string{
	"key", "tok", "sec", "cre", "pas", "pwd", "pin", "puk", "psk",
	"lk" + lowBar, "ls" + lowBar, "eyj",
}

// lowBar is the underscore as hintWith sees it.
const lowBar = "\x7f"

// hintsAtSecret tells cheaply whether there may be the name of a secret in a text.
func hintsAtSecret(text string) bool {
	var a, b byte // the last two
	for i := range len(text) {
		c := text[i]
		if c >= utf8.RuneSelf || hintWith(a, b, c) { // maybe another form of a letter
			return true
		}
		a, b = b, c
	}
	return false
}

// hintWith reports whether three bytes hint at a secret.
func hintWith(a, b, c byte) bool {
	switch uint32(a|0x20)<<16 | uint32(b|0x20)<<8 | uint32(c|0x20) {
	case 'k'<<16 | 'e'<<8 | 'y', 't'<<16 | 'o'<<8 | 'k', 's'<<16 | 'e'<<8 | 'c', 'c'<<16 | 'r'<<8 | 'e',
		'l'<<16 | 'k'<<8 | 0x7f, 'l'<<16 | 's'<<8 | 0x7f, 'e'<<16 | 'y'<<8 | 'j',
		'p'<<16 | 'a'<<8 | 's', 'p'<<16 | 'w'<<8 | 'd', 'p'<<16 | 'i'<<8 | 'n', 'p'<<16 | 'u'<<8 | 'k', 'p'<<16 | 's'<<8 | 'k':
		return true
	}
	return false
}

// squeezed returns the letters and digits of a text, in lower case.
func squeezed(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, text)
}

// wordsOf returns the words of a name such as SIM_pinCode, in lower case.
func wordsOf(name string) []string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if !unicode.IsLetter(r) {
			b.WriteByte(' ')
			continue
		}
		if i > 0 && unicode.IsUpper(r) && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return strings.Fields(b.String())
}

// maxMaskRounds is after how many rounds a text that still has secrets in it is
// masked whole.
const maxMaskRounds = 8

// ours matches the secrets that this system makes, in whatever text they are: API
// keys and secrets of clients, whose begin is no secret, secrets of webhooks, and
// access tokens.
var ours = regexp.MustCompile(`(l[ks]_[a-z2-7]{8}_)[a-z2-7]{16,}|(whsec_)[A-Za-z0-9+/_%-]{16,}=*|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}`)

// MaskedKeys returns a text without secrets of the kinds that this system makes.
func MaskedKeys(text string) string {
	if !hintsAtSecret(text) {
		return text
	}
	return ours.ReplaceAllString(text, "${1}${2}"+masked)
}

// maskText masks in a text what can be told from the rest: our own keys; private keys;
// passwords and signatures in URLs, also where the scheme is missing; and what
// follows the name of a secret and an equals sign or a colon. It is idempotent.
func maskText(text string) string {
	text = MaskedKeys(text)
	for range maxMaskRounds {
		if !strings.ContainsAny(text, ":=@") && !strings.Contains(text, "PRIVATE KEY") {
			return text
		}
		before := text
		text = privateKey.ReplaceAllLiteralString(text, masked)
		if text = maskAssigned(maskQueries(maskPlaces(maskURLs(text)))); text == before {
			return text
		}
	}
	return masked
}

// privateKey matches one in PEM (RFC 7468), also if its end is missing.
var privateKey = regexp.MustCompile(`(?s)-----BEGIN [^-]*PRIVATE KEY-----.*?(?:-----END [^-]*PRIVATE KEY-----|$)`)

// maskURLs masks passwords in the URLs of a text.
func maskURLs(text string) string {
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

// urlEnds are the characters that end a URL in a text.
const urlEnds = " \t\r\n\"<>"

// passwordIn returns where the password is in a URL that lacks its scheme, or
// nothing. One with a slash in it, which should have been escaped, is found too.
func passwordIn(place string) (from, to int) {
	if i := strings.IndexAny(place, urlEnds); i >= 0 {
		place = place[:i]
	}
	host := place
	if i := strings.IndexAny(place, "/?#"); i >= 0 {
		host = place[:i]
	}
	user, port, ok := strings.Cut(host, ":")
	if !ok {
		return 0, 0
	}
	end := strings.LastIndexByte(host, '@')
	if end < 0 && !strings.HasPrefix(host, "[") && strings.Trim(port, "0123456789") != "" {
		end = strings.LastIndexByte(place, '@')
	}
	return len(user) + 1, end
}

// maskPlaces masks passwords in what would be URLs if they had a scheme, like
// user:password@host/path.
func maskPlaces(text string) string {
	if !strings.Contains(text, "@") {
		return text
	}
	var b strings.Builder
	for {
		i := strings.IndexAny(text, urlEnds)
		if i < 0 {
			b.WriteString(maskPlace(text))
			return b.String()
		}
		b.WriteString(maskPlace(text[:i]))
		b.WriteByte(text[i])
		text = text[i+1:]
	}
}

func maskPlace(text string) string {
	from, to := passwordIn(text)
	if from >= to || strings.Contains(text, "://") || !hostBegins.MatchString(text[to+1:]) || strings.EqualFold(text[:from], "mailto:") {
		return text
	}
	return text[:from] + masked + text[to:]
}

// hostBegins matches a host that has a domain, a port or a path.
var hostBegins = regexp.MustCompile(`^(?:\[|localhost|[\pL\pN_-]+[.:/])`)

// parameter matches a parameter in the query of a URL: how it begins, and its value.
var parameter = regexp.MustCompile(`([?&]([^=&;?#\s"'<>]+)=)([^&;#\s"'<>]+)`)

// maskQueries masks signatures and other secrets in the queries of URLs.
func maskQueries(text string) string {
	if !strings.Contains(text, "=") {
		return text
	}
	return parameter.ReplaceAllStringFunc(text, func(match string) string {
		begin, _, _ := strings.Cut(match, "=")
		if !secretParameter(begin[1:]) {
			return match
		}
		return begin + "=" + masked
	})
}

// secretParameter reports whether a parameter of a URL with that name lets
// whoever knows it in, also for the storage of the large clouds.
func secretParameter(name string) bool {
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	switch strings.ToLower(name) {
	case "sig", "key", "auth", "sas", "jwt", "hmac":
		return true
	}
	return strings.Contains(strings.ToLower(name), "signature") || secretName(name)
}

// assignment matches a name and how what it is given begins.
var assignment = regexp.MustCompile(`([\pL_][\pL\pN_.-]*)[\\"']*[ \t]*[:=][ \t]*([\\"']*)`)

// maskAssigned masks what is said of a secret after its name, like password=…
func maskAssigned(text string) string {
	if !strings.ContainsAny(text, ":=") || !hintsAtSecret(text) {
		return text
	}
	var b strings.Builder
	at := 0
	for _, m := range assignment.FindAllStringSubmatchIndex(text, -1) {
		from := m[1]
		if from < at || !secretName(text[m[2]:m[3]]) {
			continue
		}
		to := from + valueLength(text[from:], text[m[4]:m[5]])
		if to == from {
			continue
		}
		b.WriteString(text[at:from])
		b.WriteString(masked)
		at = to
	}
	b.WriteString(text[at:])
	return b.String()
}

// valueLength returns how long the value is with which a text begins, after these
// quotes. More than that may be taken for it, not less.
func valueLength(text, quotes string) int {
	if strings.HasPrefix(text, "=") || strings.HasPrefix(text, "//") {
		return 0 // the end of base64, or a scheme
	}
	ends := " \t\r\n\"'\\;&<>"
	switch {
	case strings.HasSuffix(quotes, `"`) && !strings.Contains(quotes, `\`):
		return quotedLength(text)
	case strings.Contains(quotes, `"`):
		ends = `"\`
	case strings.Contains(quotes, "'"):
		ends = `'\`
	case strings.HasPrefix(text, "{"), strings.HasPrefix(text, "["):
		return len(text)
	}
	if i := strings.IndexAny(text, ends); i >= 0 {
		return i
	}
	return len(text)
}

// quotedLength returns how much of a text comes before a quote that is not escaped.
func quotedLength(text string) int {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(text)
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

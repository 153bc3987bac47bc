package ocmf_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"leyden/ocmf"
)

// A vector is a line of testdata/openssl.tsv.
type vector struct{ curve, algorithm, form, key, text string }

func vectors(t testing.TB) []vector {
	t.Helper()
	file, err := os.ReadFile("testdata/openssl.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var list []vector
	for line := range strings.Lines(string(file)) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); len(f) == 5 {
			list = append(list, vector{f[0], f[1], f[2], f[3], f[4]})
		}
	}
	if len(list) != 8*3*2*2 {
		t.Fatalf("%d vectors", len(list))
	}
	return list
}

func (v vector) parsed(t testing.TB) (ocmf.Key, ocmf.Record) {
	t.Helper()
	k, err := ocmf.ParseKey(v.key, "")
	if err != nil {
		t.Fatalf("%s: %v", v.key, err)
	}
	r, err := ocmf.Parse(v.text)
	if err != nil {
		t.Fatalf("%s: %v", v.text, err)
	}
	return k, r
}

// TestOpenSSL: what openssl signed is valid, on every curve and with every hash.
func TestOpenSSL(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range vectors(t) {
		k, r := v.parsed(t)
		seen[k.Curve()] = true
		if err := k.Verify(&r); err != nil {
			t.Errorf("%s, key as %s: %v", v.algorithm, v.form, err)
		}
		if r.Algorithm != v.algorithm || !strings.HasPrefix(r.Content.MeterSerial, "1EMH00") || !strings.HasSuffix(r.Content.MeterSerial, "ä") {
			t.Errorf("%s: algorithm %q, serial %q", v.text, r.Algorithm, r.Content.MeterSerial)
		}
		if d := r.Content.Readings; len(d) != 2 || d[0].Why != "B" || d[0].Value != "1000.5" || d[1].Why != "E" || d[1].Unit != "kWh" {
			t.Errorf("%s: readings %+v", v.text, d)
		}
	}
	for _, name := range ocmf.Curves() {
		if !seen[name] {
			t.Errorf("no vector is of %s", name)
		}
	}
}

// TestOneBit: with any one bit of the payload, the signature or the key changed,
// the signature is invalid.
func TestOneBit(t *testing.T) {
	for i, v := range vectors(t) {
		if i%3 != 0 {
			continue // all forms of all curves
		}
		k, r := v.parsed(t)
		changed := r
		b := []byte(r.Payload)
		b[(i*7)%len(b)] ^= 1 << (i % 8)
		changed.Payload = string(b)
		if err := k.Verify(&changed); !errors.Is(err, ocmf.ErrSignature) {
			t.Errorf("%s: with another payload: %v", v.algorithm, err)
		}
		changed = r
		changed.Data = another(r.Data, len(r.Data)-1-i%40)
		if err := k.Verify(&changed); !errors.Is(err, ocmf.ErrSignature) {
			t.Errorf("%s: with another signature: %v", v.algorithm, err)
		}
		other, err := ocmf.ParseKey(another(v.key, len(v.key)-1-i%30), "")
		if err == nil {
			t.Errorf("%s: a key that is on no curve is taken, as of %s", v.algorithm, other.Curve())
		}
	}
}

// another returns text with the letter or digit at i changed into another one.
func another(text string, i int) string {
	for text[i] == '=' {
		i--
	}
	b := []byte(text)
	b[i] = '1'
	if text[i] == '1' {
		b[i] = '2'
	}
	return string(b)
}

func TestAnotherKeyOrHash(t *testing.T) {
	list := vectors(t)
	for i, v := range list {
		if i%12 != 0 {
			continue // one of each curve
		}
		k, r := v.parsed(t)
		other, _ := list[(i+1)%len(list)].parsed(t)
		if err := other.Verify(&r); !errors.Is(err, ocmf.ErrSignature) {
			t.Errorf("%s by another key: %v", v.algorithm, err)
		}
		for _, name := range []string{"", "ECDSA-secp256r1-SHA256", "ECDSA-x-SHA384", "RSA-SHA256", "ECDSA", "ECDSA-SHA1", "ecdsa-SHA512"} {
			changed := r
			changed.Algorithm = name
			same := strings.HasSuffix(v.algorithm, "SHA256") && (name == "" || name == "ECDSA-secp256r1-SHA256") ||
				strings.HasSuffix(v.algorithm, "SHA384") && name == "ECDSA-x-SHA384" || strings.HasSuffix(v.algorithm, "SHA512") && name == "ecdsa-SHA512"
			if err := k.Verify(&changed); (err == nil) != same || err != nil && !errors.Is(err, ocmf.ErrSignature) {
				t.Errorf("%s read as %q: %v", v.algorithm, name, err)
			}
		}
	}
	var none ocmf.Key
	_, r := list[0].parsed(t)
	if err := none.Verify(&r); !errors.Is(err, ocmf.ErrSignature) {
		t.Errorf("no key: %v", err)
	}
	if _, err := none.DER(); err == nil || none.Curve() != "" {
		t.Error("no key has a form")
	}
}

// signer makes texts with a key of the standard library.
type signer struct{ private *ecdsa.PrivateKey }

func newSigner(t testing.TB) signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{private}
}

func (s signer) der(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&s.private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func (s signer) sign(t testing.TB, payload string) []byte {
	t.Helper()
	sum := sha256.Sum256([]byte(payload))
	sig, err := ecdsa.SignASN1(rand.Reader, s.private, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// TestExactBytes: the payload is what stands between the bars, space and odd
// characters included, also with bars in its texts.
func TestExactBytes(t *testing.T) {
	s := newSigner(t)
	k, err := ocmf.ParseKey(hex.EncodeToString(s.der(t)), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, payload := range []string{
		`{}`, ` { "FV" : "1.0" } `, "{\n\t\"GI\":\"a|b|c\"}\r\n", `{"GI":"ä\u00e4\\\"","x":{"y":[1,2,"|"]}}`, `{"RD":[{"RV":1e3}]}`, `{"RD":3,"MS":7}`, "{\"GI\":\"\u2028\x7f\"}",
		`{"pad":"` + strings.Repeat("z", 100_000) + `"}`,
	} {
		for _, tail := range []string{"", "\n", "  "} {
			text := "OCMF|" + payload + `| {"SD":"` + hex.EncodeToString(s.sign(t, payload)) + `"}` + tail
			r, err := ocmf.Parse(text)
			if err != nil || r.Payload != payload || r.Text != text {
				t.Errorf("%.60q: payload %.60q, %v", text, r.Payload, err)
				continue
			}
			if err := k.Verify(&r); err != nil {
				t.Errorf("%.60q: %v", text, err)
			}
		}
	}
}

func TestNoText(t *testing.T) {
	for _, text := range []string{
		"", "OCMF", "OCMF|", "ocmf|{}|{}", "OCMF|{}", "OCMF|{} x|{}", "OCMF|{|{}", "OCMF|[]|{}", "OCMF|3|{}", "<xml/>", "OCMF||{}",
	} {
		if _, err := ocmf.Parse(text); !errors.Is(err, ocmf.ErrFormat) {
			t.Errorf("%q: %v; want ErrFormat", text, err)
		}
	}
}

// TestBadSignatures: what is in the place of a signature and is none is invalid.
func TestBadSignatures(t *testing.T) {
	s := newSigner(t)
	k, err := ocmf.ParseKey(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: s.der(t)})), "")
	if err != nil {
		t.Fatal(err)
	}
	good := hex.EncodeToString(s.sign(t, "{}"))
	for _, sig := range []string{
		``, `{}`, `[]`, `{`, `{"SD":""}`, `{"SD":"xyz"}`, `{"SD":"30"}`, `{"SD":"` + good + `00"}`, `{"SD":"` + good + `","SE":"base32"}`,
		`{"SD":"3006020100020101"}`, `{"SD":"3006020101020100"}`, `{"SD":"30060201ff0201ff"}`, `{"SD":3}`, `{"SD":"` + strings.Repeat("30", 4000) + `"}`,
		`{"SD":"` + strings.Repeat("00", 64) + `"}`, `{"SD":"` + strings.Repeat("ff", 64) + `"}`, `{"SD":"` + good + `"} and more`,
	} {
		r, err := ocmf.Parse("OCMF|{}|" + sig)
		if err != nil {
			t.Fatalf("%q: %v", sig, err)
		}
		if err := k.Verify(&r); !errors.Is(err, ocmf.ErrSignature) {
			t.Errorf("%.80s: %v", sig, err)
		}
	}
	r, err := ocmf.Parse(`OCMF|{}|{"SD":"` + good + `"}`)
	if err != nil || k.Verify(&r) != nil {
		t.Errorf("the good one: %v, %v", err, k.Verify(&r))
	}
}

// TestKeyForms: one key in all forms in which keys are printed.
func TestKeyForms(t *testing.T) {
	s := newSigner(t)
	der := s.der(t)
	point, err := s.private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	compressed := append([]byte{2 + point[64]&1}, point[1:33]...)
	h := hex.EncodeToString(der)
	forms := map[string]string{
		"hex": h, "upper hex": strings.ToUpper(h), "0x": "0x" + h, "groups": group(h, " "), "colons": group(h, ":"),
		"base64": base64.StdEncoding.EncodeToString(der), "base64url": base64.RawURLEncoding.EncodeToString(der),
		"pem":            string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
		"oca":            "oca:base16:asn1:" + h,
		"oca groups":     "oca:base16:asn1:" + group(h, " "),
		"oca base64":     "oca:base64:asn1:" + base64.StdEncoding.EncodeToString(der),
		"base64 of oca":  base64.StdEncoding.EncodeToString([]byte("oca:base16:asn1:" + h)),
		"base64 of hex":  base64.StdEncoding.EncodeToString([]byte(h)),
		"base64 of pem":  base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
		"point":          hex.EncodeToString(point),
		"point, base64":  base64.StdEncoding.EncodeToString(point),
		"coordinates":    hex.EncodeToString(point[1:]),
		"around a space": "\n " + h + " \n",
	}
	for name, text := range forms {
		for _, curve := range []string{"", "secp256r1", "prime256v1", "P-256"} {
			wantKey(t, name, text, curve, der)
		}
	}
	wantKey(t, "compressed", hex.EncodeToString(compressed), "secp256r1", der)
}

func wantKey(t *testing.T, name, text, curve string, der []byte) {
	t.Helper()
	k, err := ocmf.ParseKey(text, curve)
	if err != nil {
		t.Errorf("%s, curve %q: %v", name, curve, err)
		return
	}
	if got, err := k.DER(); err != nil || !bytes.Equal(got, der) || k.Curve() != "secp256r1" {
		t.Errorf("%s: %x of %s, %v; want %x", name, got, k.Curve(), err, der)
	}
}

func group(text, with string) string {
	var parts []string
	for i := 0; i < len(text); i += 2 {
		parts = append(parts, text[i:min(i+2, len(text))])
	}
	return strings.Join(parts, with)
}

func TestNoKey(t *testing.T) {
	s := newSigner(t)
	h := hex.EncodeToString(s.der(t))
	point := h[len(h)-130:]
	for _, c := range []struct{ text, curve string }{
		{"", ""}, {"zz", ""}, {"00", ""}, {"30", ""}, {"04", ""}, {h[:len(h)-2], ""}, {h + "00", ""}, {another(h, len(h)-1), ""}, {h, "secp256k1"}, {h, "no such"},
		{point, "secp256k1"}, {point, "secp384r1"}, {point, "no such"}, {"04" + strings.Repeat("00", 64), ""}, {strings.Repeat("00", 64), "secp256r1"},
		{"02" + point[2:66], ""}, {"02" + strings.Repeat("ff", 32), "secp256r1"}, {"oca:", ""}, {"oca:base16:asn1:", ""}, {"oca:base16", ""},
		{strings.Repeat("30", 100_000), ""}, {base64.StdEncoding.EncodeToString([]byte("not a key at all")), ""},
		{"3015300d06092a864886f70d0101010500030400010203", ""}, // RSA
	} {
		if k, err := ocmf.ParseKey(c.text, c.curve); err == nil {
			t.Errorf("%.80q of %q is taken for a key of %s", c.text, c.curve, k.Curve())
		}
	}
}

// TestUnwrap: the JSON object of OCPP 1.6, and what is none.
func TestUnwrap(t *testing.T) {
	const text = `OCMF|{"MS":"1"}|{"SD":"00"}`
	coded := base64.StdEncoding.EncodeToString([]byte(text))
	for _, c := range []struct {
		value string
		want  ocmf.Wrapped
	}{
		{text, ocmf.Wrapped{Text: text, Encoding: "OCMF"}},
		{"AP;0;3;…", ocmf.Wrapped{Text: "AP;0;3;…"}},
		{`{"signedMeterData":"` + coded + `","encodingMethod":"OCMF","publicKey":"K","signingMethod":"M"}`,
			ocmf.Wrapped{Text: text, PublicKey: "K", SigningMethod: "M", Encoding: "OCMF"}},
		{` {"signedMeterData":"` + strings.TrimRight(coded, "=") + `"} `, ocmf.Wrapped{Text: text}},
		{`{"signedMeterData":` + quoted(text) + `}`, ocmf.Wrapped{Text: text}},
		{`{"signedMeterData":"!"}`, ocmf.Wrapped{Text: "!"}},
		{`{"other":1}`, ocmf.Wrapped{Text: `{"other":1}`}},
		{`{"signedMeterData":`, ocmf.Wrapped{Text: `{"signedMeterData":`}},
	} {
		if got := ocmf.Unwrap(c.value); got != c.want {
			t.Errorf("%s: %+v; want %+v", c.value, got, c.want)
		}
	}
	r, err := ocmf.Wrapped{Text: text, SigningMethod: "ECDSA-secp256k1-SHA256"}.Record()
	if err != nil || r.Algorithm != "ECDSA-secp256k1-SHA256" || r.Content.MeterSerial != "1" {
		t.Errorf("%+v, %v", r, err)
	}
}

func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(b)
}

func FuzzParse(f *testing.F) {
	for _, v := range vectors(f)[:12] {
		f.Add(v.text, v.key)
	}
	f.Add(`{"signedMeterData":"T0NNRnx7fXx7fQ==","publicKey":"MFk="}`, "oca:base16:asn1:3059")
	f.Add("OCMF|{}|", "04")
	f.Fuzz(func(t *testing.T, value, key string) {
		w := ocmf.Unwrap(value)
		k, err := ocmf.ParseKey(key, "")
		if err == nil {
			der, err := k.DER()
			if err != nil {
				t.Fatal(err)
			}
			if again, err := ocmf.KeyOf(der); err != nil || again.Curve() != k.Curve() {
				t.Fatalf("%q has the form %x, which is none: %v", key, der, err)
			}
		}
		r, err := w.Record()
		if err != nil {
			if !errors.Is(err, ocmf.ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		if r.Text != w.Text || !strings.HasPrefix(r.Text, "OCMF|"+r.Payload+"|") || !json.Valid([]byte(r.Payload)) {
			t.Fatalf("%q: payload %q", r.Text, r.Payload)
		}
		if err := k.Verify(&r); err != nil && !errors.Is(err, ocmf.ErrSignature) {
			t.Fatal(err)
		}
	})
}

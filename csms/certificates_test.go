package csms_test

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"leyden"
	"leyden/csms"
	"leyden/device"
	"leyden/pki"
)

// signer returns an authority of a kind: "embedded", or "external".
func (p *stage) signer(kind string) csms.Signer {
	if kind == "external" {
		return &pki.External{Operator: "Leyden", Now: time.Now}
	}
	ca, err := pki.Open(p.t.TempDir(), pki.Options{Operator: "Leyden", Validity: 48 * time.Hour, Now: time.Now})
	p.must(err)
	return ca
}

// let makes a name stand for a text.
func (p *stage) let(text string) {
	name, value, ok := strings.Cut(text, " ")
	if !ok {
		p.fatalf("let NAME TEXT")
	}
	p.names["$"+name] = value
}

// id makes a name stand for the first id with a prefix in the last answer.
func (p *stage) id(text string) {
	name, prefix, _ := strings.Cut(text, " ")
	found := regexp.MustCompile(regexp.QuoteMeta(prefix) + `[a-z2-7]{26}`).FindString(p.last)
	if found == "" {
		p.fatalf("no %s… in %s", prefix, p.last)
	}
	p.names["$"+name] = found
}

// expand puts texts where names stand for them, the longest name first.
func (p *stage) expand(text string) string {
	for _, name := range slices.SortedFunc(maps.Keys(p.names), func(a, b string) int { return len(b) - len(a) }) {
		text = strings.ReplaceAll(text, name, p.names[name])
	}
	return text
}

func (f *faulty) SaveCertificate(ctx context.Context, c device.Certificate) error {
	if mode := f.mode.Load(); mode == "down" || mode == "away" {
		return leyden.ErrUnavailable
	}
	return f.Store.SaveCertificate(ctx, c)
}

func (f *faulty) Certificates(ctx context.Context, q device.CertificateQuery) ([]device.Certificate, int, error) {
	if err := f.away(); err != nil {
		return nil, 0, err
	}
	return f.Store.Certificates(ctx, q)
}

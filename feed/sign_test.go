package feed_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"leyden"
	"leyden/feed"
)

// TestSignatureOfTheStandard holds us to the vector that the reference libraries of
// Standard Webhooks share.
func TestSignatureOfTheStandard(t *testing.T) {
	s, err := feed.ParseSigningSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 999), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; err != nil || got != want {
		t.Errorf("signature %q, %v; want %q", got, err, want)
	}
}

func TestParseSigningSecret(t *testing.T) {
	of := func(n int) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xfb}, n)) }
	for _, good := range []string{of(24), of(25), of(64), strings.TrimRight(of(25), "=")} {
		s, err := feed.ParseSigningSecret("whsec_" + good)
		if err != nil || strings.TrimRight(string(s), "=") != "whsec_"+strings.TrimRight(good, "=") || (len(s)-len("whsec_"))%4 != 0 {
			t.Errorf("secret of %d characters: %q, %v", len(good), string(s), err)
		}
	}
	for _, bad := range []string{"", "whsec_", of(24), "whsec_" + of(23), "whsec_" + of(65), "whsec_" + of(24) + "!", "WHSEC_" + of(24), "whsec_" + strings.Repeat("-_", 16)} {
		s, err := feed.ParseSigningSecret(bad)
		if e, ok := errors.AsType[*feed.FieldError](err); !ok || e.Field != "secret" || !errors.Is(err, leyden.ErrInvalid) || s != "" {
			t.Errorf("secret %q: %q, %v", bad, string(s), err)
		}
		if bad != "" && strings.Contains(fmt.Sprint(err), strings.TrimPrefix(bad, "whsec_")) && len(bad) > 6 {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
	if a, b := feed.NewSigningSecret(), feed.NewSigningSecret(); a == b || len(a) != len("whsec_")+44 {
		t.Errorf("fresh secrets %q, %q", string(a), string(b))
	}
}

// TestSecretsAreMasked: none is printed, logged or marshalled.
func TestSecretsAreMasked(t *testing.T) {
	s := feed.NewSigningSecret()
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "secret", s)
	text, err := json.Marshal(map[string]any{"secret": s})
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{s.String(), fmt.Sprintf("%v %+v %q %x", s, s, s, s), log.String(), string(text)} {
		if strings.Contains(shown, string(s)[6:]) || !strings.Contains(shown, "[secret]") {
			t.Errorf("shown as %s", shown)
		}
	}
}

func TestVault(t *testing.T) {
	key := bytes.Repeat([]byte{7}, feed.VaultKeySize)
	v, err := feed.NewVault(key)
	if err != nil {
		t.Fatal(err)
	}
	s := feed.NewSigningSecret()
	sealed := v.Seal("wh_a", s)
	if got, err := v.Open("wh_a", sealed); got != s || err != nil {
		t.Errorf("opened %q, %v", string(got), err)
	}
	if bytes.Contains(sealed, []byte(s)) || bytes.Equal(sealed, v.Seal("wh_a", s)) {
		t.Error("sealed in clear, or the same way twice")
	}
	other, err := feed.NewVault(bytes.Repeat([]byte{8}, feed.VaultKeySize))
	if err != nil {
		t.Fatal(err)
	}
	broken := bytes.Clone(sealed)
	broken[len(broken)-1] ^= 1
	for name, open := range map[string]func() (feed.SigningSecret, error){
		"of another webhook": func() (feed.SigningSecret, error) { return v.Open("wh_b", sealed) },
		"with another key":   func() (feed.SigningSecret, error) { return other.Open("wh_a", sealed) },
		"damaged":            func() (feed.SigningSecret, error) { return v.Open("wh_a", broken) },
		"nothing":            func() (feed.SigningSecret, error) { return v.Open("wh_a", nil) },
	} {
		if got, err := open(); got != "" || err == nil {
			t.Errorf("%s: opened %q, %v", name, string(got), err)
		}
	}
	if _, err := feed.NewVault(key[1:]); err == nil {
		t.Error("a short key is taken")
	}
}

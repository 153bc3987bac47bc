package auth_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"leyden/auth"
)

func TestAuthenticate(t *testing.T) {
	w := newWorld(t)
	_, key := w.key(t, "admin")
	_, login := w.client(t, "admin")
	token := w.token(t, login).Text
	for _, test := range []struct {
		name       string
		key, value auth.Secret
		ok         bool
	}{
		{"key", key, "", true},
		{"access token", "", "Bearer " + token, true},
		{"scheme in lower case", "", "bearer " + token, true},
		{"two spaces", "", "Bearer  " + token, true},
		{"key beside a proxy's header", key, "Basic dTpw", true},
		{"wrong key beside an access token", "lk_wrong", "Bearer " + token, false},
		{"nothing", "", "", false},
		{"key as access token", "", "Bearer " + key, false},
		{"access token as key", token, "", false},
		{"access token without a scheme", "", token, false},
		{"scheme alone", "", "Bearer", false},
		{"scheme and space", "", "Bearer ", false},
		{"other scheme", "", "Basic " + token, false},
		{"something after it", "", "Bearer " + token + " x", false},
		{"key and a space", key + " ", "", false},
		{"key in upper case", auth.Secret(strings.ToUpper(string(key))), "", false},
		{"part of a key", key[:len(key)-1], "", false},
		{"huge key", auth.Secret(strings.Repeat("k", 1<<20)), "", false},
		{"huge access token", "", "Bearer " + auth.Secret(strings.Repeat("A", 1<<20)), false},
	} {
		p, err := w.Authenticate(t.Context(), auth.Credentials{APIKey: test.key, Authorization: test.value})
		if test.ok {
			wantError(t, test.name, err, nil)
			continue
		}
		wantError(t, test.name, err, auth.ErrUnauthorized)
		if p.ID != "" || p.Allow(auth.ChargersRead) {
			t.Errorf("%s: principal %+v", test.name, p)
		}
	}
}

// TestGuessingKeys: ten wrong guesses a minute, then 429, and the right key
// enters all the while.
func TestGuessingKeys(t *testing.T) {
	w := newWorld(t)
	_, key := w.key(t, "admin")
	_, login := w.client(t, "admin")
	token := w.token(t, login)
	guesses := []func() error{
		func() error { _, err := w.withKey(t, "lk_guess"); return err },
		func() error { _, err := w.withToken(t, "guess.guess.guess"); return err },
		func() error {
			_, err := w.AuthenticateClient(t.Context(), auth.ClientLogin{ID: login.ID, Secret: "guess", Addr: address(1)})
			return err
		},
	}
	for i := range 3000 {
		err := guesses[i%3]()
		if i >= auth.MaxGuesses {
			wantThrottled(t, fmt.Sprint("guess ", i), err)
		} else if !errors.Is(err, auth.ErrUnauthorized) && !errors.Is(err, auth.ErrInvalidClient) {
			t.Fatalf("guess %d: %v", i, err)
		}
		if i%100 > 0 {
			continue
		}
		_, keyErr := w.withKey(t, key)
		_, tokenErr := w.withToken(t, token.Text)
		_, clientErr := w.AuthenticateClient(t.Context(), login)
		if err := errors.Join(keyErr, tokenErr, clientErr); err != nil {
			t.Fatalf("right credentials after %d wrong ones: %v", i, err)
		}
	}
	_, err := w.Authenticate(t.Context(), auth.Credentials{APIKey: "lk_guess", Addr: address(2)})
	wantError(t, "wrong guess from elsewhere", err, auth.ErrUnauthorized)
	_, err = w.Authenticate(t.Context(), auth.Credentials{Addr: address(1)})
	wantError(t, "request without a credential", err, auth.ErrUnauthorized)
}

// TestGuessWindow: the wait that a throttled guesser is told is the right one,
// and any ten guesses within a minute are enough.
func TestGuessWindow(t *testing.T) {
	w := newWorld(t)
	guess := func() error { _, err := w.withKey(t, "lk_guess"); return err }
	for range auth.MaxGuesses {
		wantError(t, "one of ten guesses", guess(), auth.ErrUnauthorized)
		w.pass(5 * time.Second)
	}
	wait := wantThrottled(t, "the eleventh within a minute", guess())
	if wait != 10*time.Second {
		t.Errorf("retry after %v, want 10s: the first guess was 50s ago", wait)
	}
	w.pass(wait - time.Millisecond)
	wantThrottled(t, "a moment too early", guess())
	w.pass(time.Millisecond)
	wantError(t, "when it was told", guess(), auth.ErrUnauthorized)
	wantThrottled(t, "once more", guess())
	w.pass(time.Hour)
	for range auth.MaxGuesses {
		wantError(t, "after an hour", guess(), auth.ErrUnauthorized)
	}
	wantThrottled(t, "after an hour and ten guesses", guess())
}

// TestGuessersNetworks: which addresses are one guesser.
func TestGuessersNetworks(t *testing.T) {
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"10.0.0.1", "10.0.0.1", true},
		{"10.0.0.1", "::ffff:10.0.0.1", true},
		{"10.0.0.1", "10.0.0.2", false},
		{"2001:db8:0:1::1", "2001:db8:0:1:ffff:1:2:3", true},
		{"2001:db8:0:1::1", "2001:db8:0:2::1", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
		{"", "", true},
		{"", "10.0.0.1", false},
	} {
		w := newWorld(t)
		guess := func(from string) error {
			addr, _ := netip.ParseAddr(from) // "" is an unknown address
			_, err := w.Authenticate(t.Context(), auth.Credentials{APIKey: "lk_guess", Addr: addr})
			return err
		}
		for range auth.MaxGuesses {
			wantError(t, test.a, guess(test.a), auth.ErrUnauthorized)
		}
		if test.same {
			wantThrottled(t, test.a+" then "+test.b, guess(test.b))
			continue
		}
		wantError(t, test.a+" then "+test.b, guess(test.b), auth.ErrUnauthorized)
	}
}

// TestGuessersAreForgotten: a throttle remembers MaxTracked guessers and no
// more, and forgets the one that was quiet the longest.
func TestGuessersAreForgotten(t *testing.T) {
	w := newWorld(t)
	guess := func(n int) error {
		_, err := w.Authenticate(t.Context(), auth.Credentials{APIKey: "lk_guess", Addr: address(n)})
		return err
	}
	for range auth.MaxGuesses {
		guess(0)
	}
	for n := 1; n < auth.MaxTracked; n++ {
		guess(n)
	}
	wantThrottled(t, "the first beside all that fit", guess(0))
	for n := range auth.MaxTracked - 1 {
		guess(auth.MaxTracked + n)
	}
	wantThrottled(t, "the first, which is the oldest but one now", guess(0))
	for n := range auth.MaxTracked {
		guess(2*auth.MaxTracked + n)
	}
	wantError(t, "the first after as many others as fit", guess(0), auth.ErrUnauthorized)
}

func TestLastUsed(t *testing.T) {
	w := newWorld(t)
	k, key := w.key(t, "admin")
	c, login := w.client(t, "admin")
	token := w.token(t, login).Text
	w.store.touches = 0
	start := w.now
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			_, keyErr := w.withKey(t, key)
			_, tokenErr := w.withToken(t, token)
			if err := errors.Join(keyErr, tokenErr); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if w.store.touches != 1 {
		t.Errorf("100 requests wrote %d times, want 1: the client's use was written with its token", w.store.touches)
	}
	for range 60 * 3 {
		w.pass(time.Second)
		w.withKey(t, key)
	}
	if w.store.touches != 4 {
		t.Errorf("3 minutes of requests wrote %d times, want 3 more", w.store.touches-1)
	}
	k, keyErr := w.Key(t.Context(), k.ID)
	c, clientErr := w.Client(t.Context(), c.ID)
	if keyErr != nil || clientErr != nil || !k.LastUsedAt.Equal(start.Add(3*time.Minute)) || !c.LastUsedAt.Equal(start) {
		t.Errorf("key last used at %v, client at %v", k.LastUsedAt, c.LastUsedAt)
	}
}

// TestLastUsedElsewhere: what another node wrote within the minute is not
// written again.
func TestLastUsedElsewhere(t *testing.T) {
	w := newWorld(t)
	_, key := w.key(t, "admin")
	if _, err := w.withKey(t, key); err != nil {
		t.Fatal(err)
	}
	other, err := auth.NewAuthenticator(w.config)
	if err != nil {
		t.Fatal(err)
	}
	w.pass(30 * time.Second)
	if _, err := other.Authenticate(t.Context(), auth.Credentials{APIKey: key}); err != nil || w.store.touches != 1 {
		t.Errorf("two nodes wrote %d times, %v; want 1", w.store.touches, err)
	}
}

// TestLastUsedFails: a full disk keeps no reader out, and is tried once a
// minute.
func TestLastUsedFails(t *testing.T) {
	w := newWorld(t)
	k, key := w.key(t, "admin")
	w.store.touchErr = errors.New("disk is full")
	for range 90 {
		if _, err := w.withKey(t, key); err != nil {
			t.Errorf("Authenticate: %v", err)
		}
		w.pass(time.Second)
	}
	if w.store.touches != 2 {
		t.Errorf("90 seconds of requests tried to write %d times, want 2", w.store.touches)
	}
	if log := w.log.String(); !strings.Contains(log, "disk is full") || !strings.Contains(log, k.ID) {
		t.Errorf("log %q", log)
	}
}

func FuzzAuthenticate(f *testing.F) {
	w := newWorld(f)
	_, key := w.key(f, "admin")
	_, login := w.client(f, "admin")
	token := w.token(f, login).Text
	f.Add("lk_aaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "")
	f.Add("", "Bearer eyJhbGciOiJub25lIn0.e30.")
	f.Add("", "bearer a.b.c")
	f.Add(" ", "Basic Og==")
	f.Fuzz(func(t *testing.T, apiKey, authorization string) {
		c := auth.Credentials{APIKey: auth.Secret(apiKey), Authorization: auth.Secret(authorization), Addr: address(1)}
		if c.APIKey == key || strings.Contains(authorization, string(token)) {
			return
		}
		p, err := w.Authenticate(t.Context(), c)
		throttled, _ := errors.AsType[*auth.ThrottledError](err)
		if p.ID != "" || !errors.Is(err, auth.ErrUnauthorized) && throttled == nil {
			t.Errorf("principal %+v, %v", p, err)
		}
	})
}

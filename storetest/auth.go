package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leyden"
	"leyden/auth"
)

// RunAuth tests the credential stores that open returns. Each call must return
// an empty one, and may close it by t.Cleanup.
func RunAuth(t *testing.T, open func(*testing.T) auth.Store) {
	for _, test := range []struct {
		name string
		f    func(*testing.T, auth.Store)
	}{
		{"KeyReadBack", keyReadBack},
		{"KeyReplaced", keyReplaced},
		{"KeyNotFound", keyNotFound},
		{"KeyHashTaken", keyHashTaken},
		{"KeysInOrder", keysInOrder},
		{"KeyTouched", keyTouched},
		{"KeyRotated", keyRotated},
		{"ClientReadBack", clientReadBack},
		{"ClientReplaced", clientReplaced},
		{"ClientNotFound", clientNotFound},
		{"ClientsInOrder", clientsInOrder},
		{"ClientTouched", clientTouched},
		{"SecretTouched", secretTouched},
		{"Revocations", revocations},
		{"StationReadBack", stationReadBack},
		{"StationDeleted", stationDeleted},
		{"StationCase", stationCase},
		{"CancelledContext", cancelledContext},
	} {
		t.Run(test.name, func(t *testing.T) { test.f(t, open(t)) })
	}
	for _, kind := range []string{"Key", "Client", "Station"} {
		t.Run(kind+"VersionGuards", func(t *testing.T) { versionGuards(t, guardedRecord(kind, open(t))) })
		t.Run(kind+"OneWriterWins", func(t *testing.T) { oneCredentialWriterWins(t, guardedRecord(kind, open(t))) })
	}
}

// authTime is a time as stores keep it, to the microsecond.
var authTime = time.Date(2026, 5, 4, 10, 30, 0, 123456000, time.UTC)

func authHash(n byte) auth.Hash { return auth.Hash{0: n, 15: 0, 31: n ^ 0xff} }

func keyRecord(n byte) auth.KeyRecord {
	return auth.KeyRecord{
		ID: "key_" + string('a'+rune(n)), Name: "Zähler \"1\"; -- ", Scopes: auth.Scopes{auth.TransactionsRead, auth.Admin},
		Prefix: "lk_abcdefgh", Hash: authHash(n), OldHash: authHash(n + 100), OldUntil: authTime.Add(time.Minute),
		LimitedTo: &auth.Limit{Chargers: []leyden.StationID{"S", "T|1"}, Sites: []string{"Höfe \"3\""}},
		ExpiresAt: authTime.Add(time.Hour), DisabledAt: authTime.Add(time.Second),
		CreatedAt: authTime.Add(time.Duration(n) * time.Microsecond), Version: 1,
	}
}

func clientRecord(n byte) auth.ClientRecord {
	id := "cli_" + string('a'+rune(n))
	return auth.ClientRecord{
		ID: id, Name: "back office", Scopes: auth.Scopes{auth.ChargersRead},
		Secrets: []auth.ClientSecret{{
			ID: "sec_z" + id, Prefix: "ls_abcdefgh", Hash: authHash(n), ExpiresAt: authTime.Add(time.Minute), CreatedAt: authTime,
		}},
		LimitedTo: &auth.Limit{Sites: []string{"Depot"}}, ExpiresAt: authTime.Add(time.Hour), DisabledAt: authTime.Add(time.Second),
		CreatedAt: authTime.Add(time.Duration(n) * time.Microsecond), Version: 1,
	}
}

func stationCredential(id leyden.StationID) auth.StationCredential {
	return auth.StationCredential{
		Station: id, Profile: auth.ProfileBasic, Proven: auth.ProfileMutualTLS, Hash: authHash(7), Next: []auth.Hash{authHash(9), authHash(8)},
		CreatedAt: authTime, UpdatedAt: authTime.Add(time.Second), Version: 1,
	}
}

// authOK ends the test if what it needed did not work.
func authOK(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// authSame fails unless got, read without an error, is want.
func authSame[T any](t *testing.T, what string, want, got T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", what, diff)
	}
}

func authRefused(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

func keyReadBack(t *testing.T, s auth.Store) {
	k := keyRecord(1)
	authOK(t, s.SaveKey(t.Context(), k))
	k.Scopes[0] = auth.TagsWrite // the store keeps no memory of its caller
	want := keyRecord(1)
	got, err := s.Key(t.Context(), k.ID)
	authSame(t, "Key", want, got, err)
	got.Scopes[0] = auth.TagsWrite
	got, err = s.KeyByHash(t.Context(), k.Hash)
	authSame(t, "KeyByHash", want, got, err)
	all, err := s.Keys(t.Context())
	authSame(t, "Keys", []auth.KeyRecord{want}, all, err)
}

func keyReplaced(t *testing.T, s auth.Store) {
	authOK(t, s.SaveKey(t.Context(), keyRecord(1)))
	authOK(t, s.SaveKey(t.Context(), keyRecord(2)))
	k := keyRecord(1)
	k.Name, k.Scopes, k.RevokedAt, k.Version = "other", auth.Scopes{auth.WebhooksWrite}, authTime.Add(time.Hour), 2
	authOK(t, s.SaveKey(t.Context(), k))
	got, err := s.KeyByHash(t.Context(), k.Hash)
	authSame(t, "replaced key", k, got, err)
	got, err = s.Key(t.Context(), keyRecord(2).ID)
	authSame(t, "other key", keyRecord(2), got, err)
}

func keyNotFound(t *testing.T, s auth.Store) {
	authOK(t, s.SaveKey(t.Context(), keyRecord(1)))
	_, err := s.Key(t.Context(), "key_")
	authRefused(t, "Key of an unknown ID", err, leyden.ErrNotFound)
	_, err = s.KeyByHash(t.Context(), authHash(2))
	authRefused(t, "KeyByHash of an unknown hash", err, leyden.ErrNotFound)
	_, err = s.KeyByHash(t.Context(), auth.Hash{})
	authRefused(t, "KeyByHash of no hash", err, leyden.ErrNotFound)
}

func keyHashTaken(t *testing.T, s auth.Store) {
	authOK(t, s.SaveKey(t.Context(), keyRecord(1)))
	k := keyRecord(2)
	k.Hash = authHash(1)
	authRefused(t, "SaveKey with another key's hash", s.SaveKey(t.Context(), k), leyden.ErrExists)
	_, err := s.Key(t.Context(), k.ID)
	authRefused(t, "Key that was refused", err, leyden.ErrNotFound)
	got, err := s.KeyByHash(t.Context(), authHash(1))
	authSame(t, "key that had the hash", keyRecord(1), got, err)
}

func keyRotated(t *testing.T, s auth.Store) {
	k := keyRecord(1)
	authOK(t, s.SaveKey(t.Context(), k))
	got, err := s.KeyByHash(t.Context(), k.OldHash)
	authSame(t, "KeyByHash of the former text", k, got, err)
	other := keyRecord(2)
	other.Hash = k.OldHash
	authRefused(t, "SaveKey with another key's former hash", s.SaveKey(t.Context(), other), leyden.ErrExists)
	k.OldHash, k.OldUntil, k.LimitedTo, k.ExpiresAt, k.DisabledAt, k.Version = auth.Hash{}, time.Time{}, nil, time.Time{}, time.Time{}, 2
	authOK(t, s.SaveKey(t.Context(), k))
	got, err = s.Key(t.Context(), k.ID)
	authSame(t, "key without a former text", k, got, err)
	_, err = s.KeyByHash(t.Context(), authHash(101))
	authRefused(t, "KeyByHash of a text that has ended", err, leyden.ErrNotFound)
	_, err = s.KeyByHash(t.Context(), auth.Hash{})
	authRefused(t, "KeyByHash of no hash", err, leyden.ErrNotFound)
}

func keysInOrder(t *testing.T, s auth.Store) {
	all, err := s.Keys(t.Context())
	if err != nil || len(all) != 0 {
		t.Fatalf("Keys of an empty store = %v, %v", all, err)
	}
	twin := keyRecord(4)
	twin.CreatedAt = keyRecord(3).CreatedAt
	late := keyRecord(0)
	late.CreatedAt = authTime.Add(time.Hour)
	for _, k := range []auth.KeyRecord{late, twin, keyRecord(3), keyRecord(1)} {
		authOK(t, s.SaveKey(t.Context(), k))
	}
	all, err = s.Keys(t.Context())
	authSame(t, "Keys", []auth.KeyRecord{keyRecord(1), keyRecord(3), twin, late}, all, err)
}

func keyTouched(t *testing.T, s auth.Store) {
	k := keyRecord(1)
	k.LastUsedAt = authTime // not for SaveKey to say
	authOK(t, s.SaveKey(t.Context(), k))
	authTouched(t, touchableRecord{
		touch: func(id string, at time.Time) error { return s.TouchKey(t.Context(), id, at) },
		read: func() (int, time.Time, error) {
			k, err := s.Key(t.Context(), k.ID)
			return k.Version, k.LastUsedAt, err
		},
		save: func(version int) error {
			k.Version = version
			return s.SaveKey(t.Context(), k)
		},
	}, k.ID)
}

func clientTouched(t *testing.T, s auth.Store) {
	c := clientRecord(1)
	c.LastUsedAt = authTime // not for SaveClient to say
	authOK(t, s.SaveClient(t.Context(), c))
	authTouched(t, touchableRecord{
		touch: func(id string, at time.Time) error { return s.TouchClient(t.Context(), id, at) },
		read: func() (int, time.Time, error) {
			c, err := s.Client(t.Context(), c.ID)
			return c.Version, c.LastUsedAt, err
		},
		save: func(version int) error {
			c.Version = version
			return s.SaveClient(t.Context(), c)
		},
	}, c.ID)
}

func secretTouched(t *testing.T, s auth.Store) {
	c := clientRecord(1)
	first, second := c.Secrets[0], auth.ClientSecret{ID: "sec_second", Hash: authHash(9), CreatedAt: authTime}
	c.Secrets = append(c.Secrets, second)
	c.Secrets[1].LastUsedAt = authTime // not for SaveClient to say
	authOK(t, s.SaveClient(t.Context(), c))
	noon := authTime.Add(time.Hour)
	authOK(t, s.TouchSecret(t.Context(), c.ID, first.ID, noon))
	authOK(t, s.TouchSecret(t.Context(), c.ID, first.ID, authTime))
	authOK(t, s.TouchSecret(t.Context(), c.ID, "nobody", noon))
	authOK(t, s.TouchSecret(t.Context(), "nobody", second.ID, noon))
	first.LastUsedAt = noon
	expect := func(what string, want ...auth.ClientSecret) {
		t.Helper()
		got, err := s.Client(t.Context(), c.ID)
		authSame(t, what, want, got.Secrets, err)
	}
	expect("used", first, second)
	c.Secrets, c.Version = []auth.ClientSecret{second, clientRecord(1).Secrets[0]}, 2
	authOK(t, s.SaveClient(t.Context(), c))
	expect("saved by one who read it before it was used", second, first)
}

// A touchableRecord is a stored record of which the use is written down.
type touchableRecord struct {
	touch func(id string, at time.Time) error
	read  func() (version int, lastUsed time.Time, err error)
	save  func(version int) error
}

func authTouched(t *testing.T, r touchableRecord, id string) {
	expect := func(what string, wantVersion int, want time.Time) {
		t.Helper()
		version, got, err := r.read()
		if err != nil || version != wantVersion || !got.Equal(want) {
			t.Errorf("%s: version %d, last used %v, %v; want version %d, %v", what, version, got, err, wantVersion, want)
		}
	}
	expect("new", 1, time.Time{})
	noon, later := authTime.Add(time.Hour), authTime.Add(2*time.Hour)
	authOK(t, r.touch(id, noon))
	expect("used", 1, noon)
	authOK(t, r.touch(id, authTime))
	expect("used earlier, told later", 1, noon)
	authOK(t, r.save(2))
	expect("saved by one who read it before it was used", 2, noon)
	authOK(t, r.touch(id, later))
	expect("used again", 2, later)
	if err := r.touch("nobody", later); err != nil {
		t.Errorf("touch of an unknown ID: %v", err)
	}
}

func clientReadBack(t *testing.T, s auth.Store) {
	c := clientRecord(1)
	authOK(t, s.SaveClient(t.Context(), c))
	c.Scopes[0], c.Secrets[0].ID = auth.TagsWrite, "changed" // the store keeps no memory of its caller
	want := clientRecord(1)
	got, err := s.Client(t.Context(), c.ID)
	authSame(t, "Client", want, got, err)
	got.Scopes[0], got.Secrets[0].ID = auth.TagsWrite, "changed"
	all, err := s.Clients(t.Context())
	authSame(t, "Clients", []auth.ClientRecord{want}, all, err)
}

func clientReplaced(t *testing.T, s auth.Store) {
	authOK(t, s.SaveClient(t.Context(), clientRecord(1)))
	authOK(t, s.SaveClient(t.Context(), clientRecord(2)))
	c := clientRecord(1)
	second := auth.ClientSecret{ID: "sec_a", Hash: authHash(9), CreatedAt: authTime.Add(-time.Hour)}
	c.Secrets, c.Name, c.Version = append(c.Secrets, second), "other", 2
	authOK(t, s.SaveClient(t.Context(), c))
	got, err := s.Client(t.Context(), c.ID)
	authSame(t, "client with two secrets, in the order saved", c, got, err)
	c.Secrets, c.Scopes, c.RevokedAt, c.Version = c.Secrets[1:], auth.Scopes{auth.Admin}, authTime, 3
	authOK(t, s.SaveClient(t.Context(), c))
	got, err = s.Client(t.Context(), c.ID)
	authSame(t, "client with its second secret", c, got, err)
	got, err = s.Client(t.Context(), clientRecord(2).ID)
	authSame(t, "other client", clientRecord(2), got, err)
}

func clientNotFound(t *testing.T, s auth.Store) {
	authOK(t, s.SaveClient(t.Context(), clientRecord(1)))
	for _, id := range []string{"", "cli_", "CLI_B", "cli_b\x00"} {
		_, err := s.Client(t.Context(), id)
		authRefused(t, "Client "+id, err, leyden.ErrNotFound)
	}
}

func clientsInOrder(t *testing.T, s auth.Store) {
	late := clientRecord(0)
	late.CreatedAt = authTime.Add(time.Hour)
	for _, c := range []auth.ClientRecord{late, clientRecord(2), clientRecord(1)} {
		authOK(t, s.SaveClient(t.Context(), c))
	}
	all, err := s.Clients(t.Context())
	authSame(t, "Clients", []auth.ClientRecord{clientRecord(1), clientRecord(2), late}, all, err)
}

func revocations(t *testing.T, s auth.Store) {
	expect := func(id string, want bool) {
		t.Helper()
		if got, err := s.Revoked(t.Context(), id); err != nil || got != want {
			t.Errorf("Revoked(%q) = %v, %v; want %v", id, got, err, want)
		}
	}
	expect("a", false)
	first := auth.Revocation{AccessTokenID: "a", RevokedAt: authTime, ExpiresAt: authTime.Add(time.Hour)}
	authOK(t, s.SaveRevocation(t.Context(), first))
	authOK(t, s.SaveRevocation(t.Context(), first))
	expect("a", true)
	expect("b", false)
	// At the very end of a's life b is revoked: a is still remembered.
	authOK(t, s.SaveRevocation(t.Context(), auth.Revocation{
		AccessTokenID: "b", RevokedAt: first.ExpiresAt, ExpiresAt: authTime.Add(2 * time.Hour)}))
	expect("a", true)
	expect("b", true)
}

func stationReadBack(t *testing.T, s auth.Store) {
	_, err := s.StationCredential(t.Context(), "S1")
	authRefused(t, "credential of an unknown station", err, leyden.ErrNotFound)
	want := stationCredential("S1")
	authOK(t, s.SaveStationCredential(t.Context(), want))
	got, err := s.StationCredential(t.Context(), "S1")
	authSame(t, "credential", want, got, err)
	got.Next[0] = auth.Hash{}
	want.Next = []auth.Hash{authHash(8)}
	want.Version = 2
	saved := want
	saved.Next = slices.Clone(want.Next)
	authOK(t, s.SaveStationCredential(t.Context(), saved))
	saved.Next[0] = auth.Hash{}
	got, err = s.StationCredential(t.Context(), "S1")
	authSame(t, "credential with one next password", want, got, err)
	want.Profile, want.Proven, want.Hash, want.Next, want.UpdatedAt, want.Version = auth.ProfileNone, "", auth.Hash{}, nil, authTime.Add(time.Hour), 3
	authOK(t, s.SaveStationCredential(t.Context(), want))
	got, err = s.StationCredential(t.Context(), "S1")
	authSame(t, "replaced credential", want, got, err)
}

func stationDeleted(t *testing.T, s auth.Store) {
	authRefused(t, "delete of an unknown station", s.DeleteStationCredential(t.Context(), "S1"), leyden.ErrNotFound)
	c := stationCredential("S1")
	authOK(t, s.SaveStationCredential(t.Context(), c))
	authOK(t, s.SaveStationCredential(t.Context(), stationCredential("S2")))
	authOK(t, s.DeleteStationCredential(t.Context(), "S1"))
	_, err := s.StationCredential(t.Context(), "S1")
	authRefused(t, "credential that was deleted", err, leyden.ErrNotFound)
	authRefused(t, "second delete", s.DeleteStationCredential(t.Context(), "S1"), leyden.ErrNotFound)
	authOK(t, s.SaveStationCredential(t.Context(), c))
	for _, id := range []leyden.StationID{"S1", "S2"} {
		got, err := s.StationCredential(t.Context(), id)
		authSame(t, "credential", stationCredential(id), got, err)
	}
}

func stationCase(t *testing.T, s auth.Store) {
	authOK(t, s.SaveStationCredential(t.Context(), stationCredential("Garage|1:*")))
	for _, id := range []leyden.StationID{"garage|1:*", "GARAGE|1:*", "Garage|1:%", "Garage|1:", "Garage|1:* "} {
		_, err := s.StationCredential(t.Context(), id)
		authRefused(t, "credential of "+string(id), err, leyden.ErrNotFound)
	}
}

// cancelledContext: whoever gave up gets an error or the truth, and changes
// made all the same are whole.
func cancelledContext(t *testing.T, s auth.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.SaveClient(ctx, clientRecord(1))
	got, readErr := s.Client(t.Context(), clientRecord(1).ID)
	if err == nil {
		authSame(t, "client that was saved", clientRecord(1), got, readErr)
		return
	}
	if readErr == nil {
		authSame(t, "client that was saved in spite of its error", clientRecord(1), got, readErr)
		return
	}
	authRefused(t, "client that was not saved", readErr, leyden.ErrNotFound)
}

// A guardedAuth record is one of which the Version guards every change. The mark
// is some content.
type guardedAuth struct {
	save func(version int, mark byte) error
	read func() (version int, mark byte, err error)
}

func guardedRecord(kind string, s auth.Store) guardedAuth {
	ctx := context.Background()
	switch kind {
	case "Key":
		return guardedAuth{func(version int, mark byte) error {
			k := keyRecord(1)
			k.Version, k.Name = version, string(rune(mark))
			return s.SaveKey(ctx, k)
		}, func() (int, byte, error) {
			k, err := s.Key(ctx, keyRecord(1).ID)
			return k.Version, (k.Name + "\x00")[0], err
		}}
	case "Client":
		return guardedAuth{func(version int, mark byte) error {
			c := clientRecord(1)
			c.Version, c.Name, c.Secrets[0].Hash = version, string(rune(mark)), authHash(mark)
			return s.SaveClient(ctx, c)
		}, func() (int, byte, error) {
			c, err := s.Client(ctx, clientRecord(1).ID)
			if err != nil || len(c.Secrets) != 1 || c.Secrets[0].Hash != authHash(c.Name[0]) {
				return c.Version, 0, err
			}
			return c.Version, c.Name[0], nil
		}}
	}
	return guardedAuth{func(version int, mark byte) error {
		c := stationCredential("S1")
		c.Version, c.Hash = version, authHash(mark)
		return s.SaveStationCredential(ctx, c)
	}, func() (int, byte, error) {
		c, err := s.StationCredential(ctx, "S1")
		return c.Version, c.Hash[0], err
	}}
}

func versionGuards(t *testing.T, r guardedAuth) {
	authRefused(t, "version 2 of a new record", r.save(2, 'x'), auth.ErrStale)
	if _, _, err := r.read(); !errors.Is(err, leyden.ErrNotFound) {
		t.Fatalf("a stale save left a record behind, or: %v", err)
	}
	authOK(t, r.save(1, 'a'))
	for _, version := range []int{0, 1, 3} {
		authRefused(t, "save beside version 1", r.save(version, 'x'), auth.ErrStale)
	}
	authOK(t, r.save(2, 'b'))
	authRefused(t, "save of version 1 after 2", r.save(1, 'x'), auth.ErrStale)
	if version, mark, err := r.read(); err != nil || version != 2 || mark != 'b' {
		t.Errorf("after stale saves: version %d, content %q, %v; want version 2, content 'b'", version, mark, err)
	}
}

func oneCredentialWriterWins(t *testing.T, r guardedAuth) {
	for version := 1; version <= 3; version++ {
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() { errs[i] = r.save(version, 'a'+byte(i)) })
		}
		wg.Wait()
		winner := slices.Index(errs, nil)
		for i, err := range errs {
			if i != winner && !errors.Is(err, auth.ErrStale) {
				t.Errorf("version %d: writer %d got %v; want one success and %v", version, i, err, auth.ErrStale)
			}
		}
		if _, mark, err := r.read(); winner < 0 || err != nil || mark != 'a'+byte(winner) {
			t.Fatalf("version %d: writer %d won, content %q, %v", version, winner, mark, err)
		}
	}
}

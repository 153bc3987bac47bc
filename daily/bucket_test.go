package daily_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"leyden/daily"
	"leyden/export"
)

// An objectStore is as much of S3 as takes objects: it wants requests to be signed
// (Signature Version 4) and keeps what is put.
type objectStore struct {
	mu      sync.Mutex
	objects map[string]string // by path
	types   map[string]string
	wrong   []string // what was not as it must be
	refuse  int      // status for all, unless 0
}

func (o *objectStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if a := r.Header.Get("Authorization"); !strings.HasPrefix(a, "AWS4-HMAC-SHA256 Credential=writer/") ||
		!strings.Contains(a, "/eu-central-1/s3/aws4_request") || !strings.Contains(a, "Signature=") || r.Header.Get("X-Amz-Date") == "" {
		o.wrong = append(o.wrong, "not signed: "+a)
	}
	body, err := content(r)
	switch {
	case err != nil:
		o.wrong = append(o.wrong, err.Error())
	case o.refuse != 0:
		w.WriteHeader(o.refuse)
		fmt.Fprint(w, `<Error><Code>AccessDenied</Code><Message>not for you</Message></Error>`)
		return
	case r.Method != http.MethodPut:
		o.wrong = append(o.wrong, r.Method+" "+r.URL.String())
	}
	o.objects[r.URL.Path], o.types[r.URL.Path] = body, r.Header.Get("Content-Type")
	w.Header().Set("ETag", `"0"`)
}

// content returns a body without the signatures of its chunks, if it has any.
func content(r *http.Request) (string, error) {
	if !strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		data, err := io.ReadAll(r.Body)
		return string(data), err
	}
	var out strings.Builder
	body := bufio.NewReader(r.Body)
	for {
		line, err := body.ReadString('\n')
		if err != nil {
			return "", fmt.Errorf("chunk: %w", err)
		}
		var size int64
		head, signature, _ := strings.Cut(strings.TrimSpace(line), ";")
		if _, err := fmt.Sscanf(head, "%x", &size); err != nil {
			return "", fmt.Errorf("chunk %q: %w", line, err)
		}
		if !strings.HasPrefix(signature, "chunk-signature=") && r.TLS == nil {
			return "", fmt.Errorf("chunk %q is not signed", line)
		}
		if size == 0 {
			return out.String(), nil
		}
		if _, err := io.CopyN(&out, body, size); err != nil {
			return "", err
		}
		if _, err := body.ReadString('\n'); err != nil {
			return "", err
		}
	}
}

func newBucket(t *testing.T, change func(*daily.BucketConfig)) (*objectStore, *daily.Bucket) {
	t.Helper()
	store := &objectStore{objects: map[string]string{}, types: map[string]string{}}
	server := httptest.NewServer(store)
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(file, []byte("[default]\naws_access_key_id = writer\naws_secret_access_key = very-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := daily.BucketConfig{
		Endpoint: server.URL, Bucket: "ledger", Prefix: "leyden/daily", Region: "eu-central-1", Credentials: file, Spool: t.TempDir(),
		Transport: server.Client().Transport,
	}
	if change != nil {
		change(&c)
	}
	b, err := daily.NewBucket(c)
	if err != nil {
		t.Fatal(err)
	}
	return store, b
}

func TestBucket(t *testing.T) {
	spool := t.TempDir()
	store, b := newBucket(t, func(c *daily.BucketConfig) { c.Spool = spool })
	run, err := daily.Write(t.Context(), b, func(ctx context.Context, w io.Writer, f export.Format, day time.Time) (int64, error) {
		if left := names(t, spool); len(left) > 0 && runtime.GOOS != "windows" {
			t.Errorf("a crash now would leave %v behind", left)
		}
		return rows(ctx, w, f, day)
	}, export.CSV, date(20), date(21))
	if err != nil || len(store.wrong) > 0 {
		t.Fatal(err, store.wrong)
	}
	const path = "/ledger/leyden/daily/transactions-2026-11-20."
	if got := store.objects[path+"csv"]; got != "day,n\r\n2026-11-20,0\r\n2026-11-20,1\r\n2026-11-20,2\r\n" || store.types[path+"csv"] != "text/csv" {
		t.Errorf("got %q as %s", got, store.types[path+"csv"])
	}
	if got := store.objects[path+"manifest.json"]; !strings.Contains(got, run.SHA256) || store.types[path+"manifest.json"] != "application/json" {
		t.Errorf("the manifest is %s", got)
	}
	if run.File != "s3://ledger/leyden/daily/transactions-2026-11-20.csv" || len(names(t, spool)) > 0 {
		t.Errorf("got %+v, and the spool has %v", run, names(t, spool))
	}
}

// Credentials come from the environment where no file is named.
func TestBucketByEnvironment(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "writer")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
	store, b := newBucket(t, func(c *daily.BucketConfig) { c.Credentials, c.Prefix = "", "" })
	run, err := daily.Write(t.Context(), b, rows, export.Parquet, date(20), date(21))
	if err != nil || len(store.wrong) > 0 || !strings.HasPrefix(store.objects["/ledger/transactions-2026-11-20.parquet"], "PAR1") {
		t.Errorf("got %+v, %v, %v", run, err, store.wrong)
	}
}

// What the service refuses is told, without the secret, and nothing is left.
func TestBucketRefuses(t *testing.T) {
	spool := t.TempDir()
	store, b := newBucket(t, func(c *daily.BucketConfig) { c.Spool = spool })
	store.refuse = http.StatusForbidden
	_, err := daily.Write(t.Context(), b, rows, export.CSV, date(20), date(21))
	if err == nil || !strings.Contains(err.Error(), "export transactions-2026-11-20.csv: bucket ledger: ") || strings.Contains(err.Error(), "very-secret") {
		t.Errorf("got %v", err)
	}
	broken := errors.New("broken")
	_, err = b.Put(t.Context(), "a.csv", func(io.Writer) error { return broken })
	if !errors.Is(err, broken) || len(store.objects) > 0 || len(names(t, spool)) > 0 {
		t.Errorf("got %v; the store has %v, and the spool %v", err, store.objects, names(t, spool))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if _, err := b.Put(ctx, "a.csv", func(io.Writer) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("too late: got %v", err)
	}
}

func TestBucketConfig(t *testing.T) {
	for _, c := range []daily.BucketConfig{
		{Endpoint: "s3.example.com", Bucket: "b"}, {Endpoint: "ftp://s3.example.com", Bucket: "b"}, {Endpoint: "https://s3.example.com/b", Bucket: "b"},
		{Endpoint: "https://s3.example.com"}, {Endpoint: "https:// x", Bucket: "b"}, {Bucket: "b"},
	} {
		if b, err := daily.NewBucket(c); err == nil {
			t.Errorf("%+v: got %+v", c, b)
		}
	}
}

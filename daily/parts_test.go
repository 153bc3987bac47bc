package daily_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"leyden/daily"
)

// A partStore is a service that is asked where its bucket is, and takes a large
// object in parts.
type partStore struct {
	mu       sync.Mutex
	parts    map[int]int // sizes, by number
	refuse   int         // the part that is refused; 0 for none
	whole    []int       // numbers of the parts that were put together
	aborted  bool
	located  bool
	unsigned []string // requests that were not signed for the region of the bucket
}

func (p *partStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := r.URL.Query()
	if q.Has("location") {
		p.located = true
		fmt.Fprint(w, `<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">eu-north-1</LocationConstraint>`)
		return
	}
	if !strings.Contains(r.Header.Get("Authorization"), "/eu-north-1/s3/aws4_request") {
		p.unsigned = append(p.unsigned, r.Method+" "+r.URL.String())
	}
	switch {
	case r.Method == http.MethodPost && q.Has("uploads"):
		fmt.Fprint(w, `<InitiateMultipartUploadResult><Bucket>ledger</Bucket><Key>big.csv</Key><UploadId>u1</UploadId></InitiateMultipartUploadResult>`)
	case r.Method == http.MethodPut && q.Get("uploadId") == "u1":
		p.put(w, r)
	case r.Method == http.MethodPost && q.Get("uploadId") == "u1":
		p.complete(w, r)
	case r.Method == http.MethodDelete && q.Get("uploadId") == "u1":
		p.aborted = true
		w.WriteHeader(http.StatusNoContent)
	default:
		http.Error(w, r.Method+" "+r.URL.String(), http.StatusTeapot)
	}
}

func (p *partStore) put(w http.ResponseWriter, r *http.Request) {
	number, err := strconv.Atoi(r.URL.Query().Get("partNumber"))
	if err != nil || number == p.refuse {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `<Error><Code>QuotaExceeded</Code><Message>the bucket is full</Message></Error>`)
		return
	}
	size := r.Header.Get("X-Amz-Decoded-Content-Length")
	if size == "" {
		size = r.Header.Get("Content-Length")
	}
	_, _ = io.Copy(io.Discard, r.Body)
	p.parts[number], _ = strconv.Atoi(size)
	w.Header().Set("ETag", fmt.Sprintf(`"%d"`, number))
}

func (p *partStore) complete(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Part []struct{ PartNumber int } }
	if err := xml.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, part := range asked.Part {
		p.whole = append(p.whole, part.PartNumber)
	}
	fmt.Fprint(w, `<CompleteMultipartUploadResult><Bucket>ledger</Bucket><Key>big.csv</Key><ETag>"x"</ETag></CompleteMultipartUploadResult>`)
}

// putLarge puts a file of 70 MiB into a bucket whose region is not told.
func putLarge(t *testing.T, p *partStore) (size int, left []string, err error) {
	t.Helper()
	p.parts = map[int]int{}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "writer")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
	spool := t.TempDir()
	b, err := daily.NewBucket(daily.BucketConfig{Endpoint: server.URL, Bucket: "ledger", Spool: spool, Transport: server.Client().Transport})
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 1<<20)
	for i := range block {
		block[i] = byte(rand.IntN(256))
	}
	_, err = b.Put(t.Context(), "big.csv", func(w io.Writer) error {
		for range 70 {
			n, err := w.Write(block)
			size += n
			if err != nil {
				return err
			}
		}
		return nil
	})
	return size, names(t, spool), err
}

// A large file goes in parts, to the region where the service says that the
// bucket is.
func TestBucketInParts(t *testing.T) {
	p := &partStore{}
	size, left, err := putLarge(t, p)
	if err != nil || len(p.unsigned) > 0 || !p.located || p.aborted {
		t.Fatalf("got %v; not signed: %v; located: %v; aborted: %v", err, p.unsigned, p.located, p.aborted)
	}
	if len(p.parts) != 2 || p.parts[1] != 64<<20 || p.parts[1]+p.parts[2] != size || fmt.Sprint(p.whole) != "[1 2]" || len(left) > 0 {
		t.Errorf("%d bytes came as %v, put together as %v; the spool has %v", size, p.parts, p.whole, left)
	}
}

// An upload that fails on its way is given up: its parts cost nothing.
func TestBucketRefusesPart(t *testing.T) {
	p := &partStore{refuse: 2}
	_, left, err := putLarge(t, p)
	if err == nil || !strings.Contains(err.Error(), "the bucket is full") {
		t.Errorf("got %v", err)
	}
	if !p.aborted || len(p.whole) > 0 || len(left) > 0 {
		t.Errorf("aborted: %v; put together: %v; the spool has %v", p.aborted, p.whole, left)
	}
}

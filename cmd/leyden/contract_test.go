package main

import (
	"fmt"
	"net/http"
	"os"
	"reflect"
	"sync"
	"testing"

	"leyden/apiv1"
	"leyden/apiv2"
	"leyden/rest"
	"leyden/rest/resttest"
)

// theContract is what every server of these tests promises.
var theContract = sync.OnceValues(func() (*resttest.Contract, error) {
	api := rest.New(rest.Config{Version: version})
	apiv1.Register(api, apiv1.Config{})
	apiv2.Register(api, nil, nil)
	return resttest.NewContract(api)
})

// breaches are the replies to any test that broke the contract.
var breaches struct {
	sync.Mutex
	found []error
}

func noteBreach(err error) {
	breaches.Lock()
	defer breaches.Unlock()
	breaches.found = append(breaches.found, err)
}

// witnessed returns a transport that holds what servers reply against their
// OpenAPI document.
func witnessed(next http.RoundTripper) http.RoundTripper {
	c, err := theContract()
	if err != nil {
		panic(err) // it is code
	}
	return c.Transport(noteBreach, next)
}

// A witnessedRun runs the tests and fails when a reply to any of them broke the
// contract, whether the test looked at it or not.
type witnessedRun struct{ m *testing.M }

// Run runs the tests.
func (r witnessedRun) Run() int {
	http.DefaultTransport = witnessed(http.DefaultTransport)
	code := r.m.Run()
	breaches.Lock()
	defer breaches.Unlock()
	for _, err := range breaches.found {
		fmt.Fprintf(os.Stderr, "FAIL: a reply broke the contract: %v\n", err)
		code = max(code, 1)
	}
	return code
}

// TestDocumentIsTheContract: a whole server serves the document that tests hold
// it to, whatever it is wired with.
func TestDocumentIsTheContract(t *testing.T) {
	t.Parallel()
	p := startServer(t, "--data", t.TempDir())
	r := p.call(http.MethodGet, "/openapi.json", adminKey, "")
	served, err := resttest.ParseContract([]byte(r.body))
	if err != nil {
		t.Fatal(err)
	}
	want, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"paths", "components"} {
		if !reflect.DeepEqual(resttest.At(served.Document, part), resttest.At(want.Document, part)) {
			t.Errorf("its %s are not those of apiv1.Register and apiv2.Register", part)
		}
	}
}

// TestDocumentIsSound: the document is OpenAPI 3.1, its examples are what they
// are examples of, and its operations have names that clients can be made of.
func TestDocumentIsSound(t *testing.T) {
	t.Parallel()
	c, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range c.Unsound() {
		t.Error(err)
	}
}

// Whatever is served says what it does.
func TestEveryOperationIsDescribed(t *testing.T) {
	c, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	paths, _ := resttest.At(c.Document, "paths").(map[string]any)
	if len(paths) < 50 {
		t.Fatalf("there are only %d paths", len(paths))
	}
	for path := range paths {
		for _, method := range []string{"get", "post", "put", "patch", "delete"} {
			op := resttest.At(paths, path, method)
			for _, key := range []string{"summary", "description"} {
				if text, _ := resttest.At(op, key).(string); op != nil && text == "" {
					t.Errorf("%s %s has no %s", method, path, key)
				}
			}
		}
	}
}

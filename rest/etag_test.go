package rest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"leyden/rest"
)

type recordInput struct {
	ID int `path:"id"`
}

type changeInput struct {
	ID int `path:"id"`
	rest.Precondition
}

type recordOutput struct {
	rest.Versioned
	Body struct {
		Edition string `json:"edition"`
		Heard   int    `json:"heard"` // moves by itself
	}
}

// A record is shown and changed; hearing of it makes no new edition.
type record struct {
	edition string
	heard   int
}

func (r *record) serve(f fixture) {
	facade := &rest.Facade{Prefix: "/records/", Body: func(e *rest.Error, id string) any {
		return errorBody{e.Code, e.Message, e.Details, id}
	}}
	show := func() *recordOutput {
		out := &recordOutput{Versioned: rest.Versioned{Edition: r.edition}}
		out.Body.Edition, out.Body.Heard = r.edition, r.heard
		return out
	}
	rest.Handle(f.API, facade, rest.Operation{Method: http.MethodGet, Path: "/records/{id}", Public: true},
		func(context.Context, *recordInput) (*recordOutput, error) { return show(), nil })
	rest.Handle(f.API, facade, rest.Operation{Method: http.MethodPatch, Path: "/records/{id}", Public: true},
		func(_ context.Context, in *changeInput) (*recordOutput, error) {
			if err := in.Check(r.edition); err != nil {
				return nil, err
			}
			r.edition += ".1"
			return show(), nil
		})
}

func ask(f fixture, method string, headers ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, "/records/1", nil)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	out := httptest.NewRecorder()
	f.ServeHTTP(out, req)
	return out
}

func TestEntityTags(t *testing.T) {
	f := newFixture(t)
	r := &record{edition: "1"}
	r.serve(f)
	tag := ask(f, http.MethodGet).Header().Get("ETag")
	if !strings.HasPrefix(tag, `"1-`) || !strings.HasSuffix(tag, `"`) || len(tag) < 12 {
		t.Fatalf("ETag is %s", tag)
	}
	for _, c := range []struct {
		header string
		want   int
	}{
		{"", 200}, {tag, 304}, {"*", 304}, {"W/" + tag, 304}, {`"x", ` + tag, 304}, {`"x" , W/"y"`, 200}, {`"1"`, 200}, {"nonsense", 200}, {tag + " " + tag, 200},
	} {
		out := ask(f, http.MethodGet, "If-None-Match", c.header)
		empty := out.Body.Len() == 0 && out.Header().Get("Content-Type") == "" && out.Header().Get("Content-Length") == ""
		if out.Code != c.want || empty != (c.want == 304) || out.Header().Get("ETag") != tag {
			t.Errorf("If-None-Match: %s: got %d %q with %v, want %d", c.header, out.Code, out.Body, out.Header(), c.want)
		}
	}
	if out := ask(f, http.MethodHead, "If-None-Match", tag); out.Code != 304 {
		t.Errorf("HEAD: %d", out.Code)
	}

	if out := ask(f, http.MethodPatch); out.Code != 200 {
		t.Errorf("a change without If-Match: %d", out.Code)
	}
	tag = ask(f, http.MethodGet).Header().Get("ETag")

	// What moved by itself is another body, and no other edition.
	r.heard++
	out := ask(f, http.MethodGet, "If-None-Match", tag)
	if out.Code != 200 || out.Header().Get("ETag") == tag {
		t.Errorf("another body: %d %s", out.Code, out.Header().Get("ETag"))
	}
	for _, c := range []struct {
		header string
		want   int
	}{
		{"nonsense", 400}, {`"`, 400}, {`"1" "2"`, 400}, {",", 400}, {"W/" + tag, 412}, {`"2-00"`, 412}, {tag, 200}, {tag, 412}, {`"x", "1.1.1-00"`, 200}, {"*", 200}, {"", 400},
	} {
		out := ask(f, http.MethodPatch, "If-Match", c.header)
		if out.Code != c.want || out.Code == 412 && !strings.Contains(out.Body.String(), "PRECONDITION_FAILED") {
			t.Errorf("If-Match: %s: got %d %s, want %d", c.header, out.Code, out.Body, c.want)
		}
		if out.Code == 200 && !strings.HasPrefix(out.Header().Get("ETag"), `"`+r.edition+`-`) {
			t.Errorf("the reply to a change has the ETag %s", out.Header().Get("ETag"))
		}
	}
}

func TestEntityTagsAreDocumented(t *testing.T) {
	f := newFixture(t)
	new(record).serve(f)
	document, err := f.Document()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"If-None-Match"`, `"If-Match"`, `"304"`, `"412"`, `"ETag"`} {
		if !strings.Contains(string(document), want) {
			t.Errorf("the document does not tell of %s", want)
		}
	}
}

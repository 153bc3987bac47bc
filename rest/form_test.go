package rest_test

import (
	"context"
	"net/http"
	"testing"

	"leyden/rest"
)

type loginInput struct {
	Body login `contentType:"application/x-www-form-urlencoded"`
}

type login struct {
	_    struct{} `additionalProperties:"true"`
	User string   `json:"user" minLength:"1"`
	Note string   `json:"note,omitempty"`
}

type loginOutput struct {
	Body struct {
		User string `json:"user"`
		Note string `json:"note"`
	}
}

func TestForm(t *testing.T) {
	f := newFixture(t)
	facade := &rest.Facade{Prefix: "/login/", Body: func(e *rest.Error, id string) any { return errorBody{e.Code, e.Message, nil, id} }}
	rest.Handle(f.API, facade, rest.Operation{Method: http.MethodPost, Path: "/login/form", Public: true},
		func(_ context.Context, in *loginInput) (*loginOutput, error) {
			out := &loginOutput{}
			out.Body.User, out.Body.Note = in.Body.User, in.Body.Note
			return out, nil
		})
	const kind = "Content-Type: application/x-www-form-urlencoded"
	for _, c := range []struct {
		body, header string
		status       int
		want         string
	}{
		{"user=a+b&note=%7B%22x%22%3A1%7D", kind, 200, `{"user":"a b","note":"{\"x\":1}"}`},
		{"user=a&more=1", kind + "; charset=utf-8", 200, `{"user":"a","note":""}`},
		{"user=a", "X-None: ", 200, `{"user":"a","note":""}`},
		{"note=a", kind, 400, `{"code":"VALIDATION_ERROR","message":"user: is required","requestId":"req-1"}`},
		{"user=", kind, 400, `{"code":"VALIDATION_ERROR","message":"user: expected length >= 1","requestId":"req-1"}`},
		{"user=a&user=b", kind, 400, `{"code":"VALIDATION_ERROR","message":"user: is given more than once","requestId":"req-1"}`},
		{"user=%z", kind, 400, `{"code":"VALIDATION_ERROR","message":"body: is no form: invalid URL escape \"%z\"","requestId":"req-1"}`},
	} {
		w := f.do("POST /login/form", c.body, c.header)
		if w.Code != c.status || w.Body.String() != c.want {
			t.Errorf("%s: got %d %s, want %d %s", c.body, w.Code, w.Body, c.status, c.want)
		}
	}
}

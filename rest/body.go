package rest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"
)

const (
	jsonType = "application/json"
	formType = "application/x-www-form-urlencoded"
	maxDepth = 32 // of nested JSON
)

// readBody reads and checks the body of a request, if the operation has one.
func (rt *route) readBody(w *reply, r *http.Request) ([]byte, error) {
	expected := rt.described.RequestBody
	if expected == nil {
		return nil, nil
	}
	contentType, media, err := chooseMedia(r.Header.Get("Content-Type"), expected)
	if err != nil {
		return nil, err
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, Errorf(http.StatusUnsupportedMediaType, "Content-Encoding: a body is sent as it is")
	}
	data, err := receive(w, r, rt.operation.MaxBody)
	if err != nil {
		return nil, err
	}
	if len(data) == 0 {
		if expected.Required {
			return nil, Invalid("body", "is required")
		}
		return nil, nil
	}
	if contentType != jsonType && contentType != formType {
		return data, nil // the handler reads it
	}
	value, err := parse(contentType, data)
	if err != nil {
		return nil, err
	}
	return data, rt.check(media.Schema, value)
}

// chooseMedia finds the description of the body's content type. A client that
// names none means the one there is.
func chooseMedia(header string, expected *huma.RequestBody) (string, *huma.MediaType, error) {
	given := mediaType(header)
	for contentType, media := range expected.Content {
		if given == contentType || given == "" {
			return contentType, media, nil
		}
	}
	return "", nil, Errorf(http.StatusUnsupportedMediaType, "Content-Type: expected %s", strings.Join(sortedKeys(expected.Content), " or "))
}

func mediaType(header string) string {
	name, _, err := mime.ParseMediaType(header)
	if err != nil {
		return strings.TrimSpace(header)
	}
	return name
}

// receive reads a body of at most limit bytes that arrives in time. Without a
// length, and with a lying one, no more than the limit is ever held.
func receive(w *reply, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	deadline := http.NewResponseController(w.ResponseWriter)
	timed := deadline.SetReadDeadline(time.Now().Add(bodyTimeout)) == nil
	data, err := io.ReadAll(http.MaxBytesReader(w.ResponseWriter, r.Body, limit))
	if timed && err == nil {
		// net/http watches the connection from here on: an old deadline would
		// look like a client that left.
		err = deadline.SetReadDeadline(time.Time{})
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge(limit)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, Errorf(http.StatusRequestTimeout, "the body did not arrive in time")
	}
	if err != nil {
		return nil, Invalid("body", "cannot be read").Because(err)
	}
	return data, nil
}

func tooLarge(limit int64) *Error {
	return Errorf(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes", limit)
}

func parse(contentType string, data []byte) (any, error) {
	if contentType == formType {
		return parseForm(data)
	}
	return parseJSON(data)
}

// parseForm reads form fields. RFC 6749 §3.2: none may be given twice.
func parseForm(data []byte) (map[string]any, error) {
	values, err := url.ParseQuery(string(data))
	if err != nil {
		return nil, Invalid("body", "is no form: "+err.Error())
	}
	fields := map[string]any{}
	for name, v := range values {
		if len(v) > 1 {
			return nil, Invalid(clip(name), "is given more than once")
		}
		fields[name] = v[0]
	}
	return fields, nil
}

// parseJSON reads exactly one JSON value. Names that are the same but for
// their case are refused: readers would disagree on which one counts.
func parseJSON(data []byte) (any, error) {
	if !utf8.Valid(data) {
		return nil, Invalid("body", "is not UTF-8")
	}
	p := jsonParser{json.NewDecoder(bytes.NewReader(data))}
	p.UseNumber()
	value, err := p.value("", 0)
	if err != nil {
		return nil, err
	}
	if _, err := p.Token(); !errors.Is(err, io.EOF) {
		return nil, Invalid("body", "is more than one JSON value")
	}
	return value, nil
}

type jsonParser struct{ *json.Decoder }

func (p jsonParser) next() (json.Token, error) {
	token, err := p.Token()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, Invalid("body", "is not valid JSON: "+err.Error())
	}
	return token, nil
}

func (p jsonParser) value(path string, depth int) (any, error) {
	if depth > maxDepth {
		return nil, Invalid("body", fmt.Sprintf("is nested deeper than %d", maxDepth))
	}
	token, err := p.next()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		return p.object(path, depth)
	case json.Delim('['):
		return p.array(path, depth)
	}
	if n, ok := token.(json.Number); ok {
		return number(path, n)
	}
	return token, nil
}

// number reads an integer as one only if it is written as one.
func number(path string, n json.Number) (any, error) {
	if i, err := n.Int64(); err == nil {
		return i, nil
	}
	f, err := n.Float64()
	if err != nil {
		return nil, Invalid(clip(cmp.Or(path, "body")), "is too large for a number")
	}
	return f, nil
}

func (p jsonParser) object(path string, depth int) (any, error) {
	fields, seen := map[string]any{}, map[string]bool{}
	for p.More() {
		token, err := p.next()
		if err != nil {
			return nil, err
		}
		name := token.(string) // the decoder admits nothing else here
		if seen[fold(name)] {
			return nil, Invalid(clip(join(path, name)), "is given more than once")
		}
		seen[fold(name)] = true
		if fields[name], err = p.value(join(path, name), depth+1); err != nil {
			return nil, err
		}
	}
	_, err := p.next()
	return fields, err
}

func (p jsonParser) array(path string, depth int) (any, error) {
	items := []any{}
	for p.More() {
		item, err := p.value(fmt.Sprintf("%s[%d]", path, len(items)), depth+1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	_, err := p.next()
	return items, err
}

// fold makes names equal that encoding/json takes for the same field.
func fold(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// check holds a parsed body against its schema.
func (rt *route) check(s *huma.Schema, value any) error {
	schemas := rt.api.document.Components.Schemas
	if wrong := loose(schemas, s, value, ""); len(wrong) > 0 {
		return invalidSorted(wrong)
	}
	path, result := huma.NewPathBuffer(nil, 0), &huma.ValidateResult{}
	path.Push("body")
	huma.Validate(schemas, s, path, huma.ModeWriteToServer, value, result)
	if len(result.Errors) == 0 {
		return nil
	}
	details := make([]Detail, 0, len(result.Errors))
	for _, err := range result.Errors {
		if d, ok := errors.AsType[*huma.ErrorDetail](err); ok {
			details = append(details, detailOf(d))
		}
	}
	return invalidSorted(details)
}

// loose finds what huma would let pass and the types of the handlers cannot
// take: fields of a body that its schema does not have but for their case, and
// integers that are not written as such, like 1.0.
func loose(schemas huma.Registry, s *huma.Schema, value any, path string) []Detail {
	for s != nil && s.Ref != "" {
		s = schemas.SchemaFromRef(s.Ref)
	}
	if s == nil {
		return nil
	}
	var wrong []Detail
	switch value := value.(type) {
	case map[string]any:
		closed := s.AdditionalProperties == false
		for name, v := range value {
			property, known := s.Properties[name]
			if closed && !known {
				wrong = append(wrong, Detail{clip(join(path, name)), "is unknown"})
			}
			wrong = append(wrong, loose(schemas, property, v, join(path, name))...)
		}
	case []any:
		for i, v := range value {
			wrong = append(wrong, loose(schemas, s.Items, v, fmt.Sprintf("%s[%d]", path, i))...)
		}
	case float64:
		if s.Type == huma.TypeInteger {
			wrong = append(wrong, Detail{clip(path), validation.MsgExpectedInteger})
		}
	}
	return wrong
}

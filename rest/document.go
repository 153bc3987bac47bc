package rest

import (
	"net/http"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"leyden/auth"
)

const schemaPrefix = "#/components/schemas/"

// Names of the security schemes in the document.
const (
	schemeKey   = "apiKey"
	schemeOAuth = "oauth2"
)

// newDocument returns the document without any operation.
func newDocument(c Config) *huma.OpenAPI {
	doc := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title:   "Leyden",
			Version: c.Version,
			Description: "The ledger of EV charging. One ledger, two façades: v1 below `/api/v1` and v2 below `/v2`. " +
				"The same transaction has the same integer TransactionID in both, and either credential works on either.",
		},
		Components: &huma.Components{
			Schemas:         huma.NewMapRegistry(schemaPrefix, schemaName),
			SecuritySchemes: securitySchemes(),
		},
	}
	if c.PublicURL != "" {
		doc.Servers = []*huma.Server{{URL: c.PublicURL}}
	}
	return doc
}

func securitySchemes() map[string]*huma.SecurityScheme {
	scopes := map[string]string{}
	for _, s := range auth.KnownScopes() {
		scopes[string(s)] = string(s)
	}
	return map[string]*huma.SecurityScheme{
		schemeKey: {Type: "apiKey", In: "header", Name: "X-API-Key", Description: "An API key with the scopes of the operation."},
		schemeOAuth: {
			Type:        "oauth2",
			Description: "An access token of `POST /oauth2/token`, sent as `Authorization: Bearer`.",
			Flows:       &huma.OAuthFlows{ClientCredentials: &huma.OAuthFlow{TokenURL: "/oauth2/token", Scopes: scopes}},
		},
	}
}

// schemaName names a type's schema by package and name: types of apiv1 begin
// with V1, those of apiv2 with V2.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	version, versioned := strings.CutPrefix(path.Base(t.PkgPath()), "api")
	if !versioned {
		version = ""
	}
	return strings.ToUpper(version) + huma.DefaultSchemaNamer(t, hint)
}

// describe returns what huma cannot find in the types of an operation.
func (a *API) describe(f *Facade, op Operation) huma.Operation {
	described := huma.Operation{
		OperationID:   op.ID,
		Method:        op.Method,
		Path:          op.Path,
		Summary:       op.Summary,
		Description:   op.Description,
		DefaultStatus: op.Status,
		MaxBodyBytes:  -1, // see receive
		// The body is checked before huma sees it, see check.
		SkipValidateBody: true,
		BodyReadTimeout:  -1,
		Responses:        a.describeErrors(f, op),
		Security:         []map[string][]string{},
	}
	if op.Tag != "" {
		described.Tags = []string{op.Tag}
		a.addTag(op.Tag)
	}
	if !op.Public && !op.Limited && op.Scope != auth.Admin {
		described.Description = strings.TrimSpace(described.Description + "\n\nRefused (403) to credentials that are limited to some chargers.")
	}
	if !op.Public {
		described.Security = []map[string][]string{{schemeKey: {}}, {schemeOAuth: {string(op.Scope)}}}
	}
	return described
}

// addTag adds a group to the document. The first one, of the probes, stays the
// last: readers look for the façades.
func (a *API) addTag(name string) {
	has := func(t *huma.Tag) bool { return t.Name == name }
	if !slices.ContainsFunc(a.document.Tags, has) {
		a.document.Tags = slices.Insert(a.document.Tags, max(0, len(a.document.Tags)-1), &huma.Tag{Name: name})
	}
}

// describeErrors lists the refusals of an operation: its own and those that
// every operation may have.
func (a *API) describeErrors(f *Facade, op Operation) map[string]*huma.Response {
	statuses := append([]int{http.StatusBadRequest, http.StatusInternalServerError, http.StatusServiceUnavailable}, op.Errors...)
	if !op.Public {
		statuses = append(statuses, http.StatusUnauthorized, http.StatusForbidden)
	}
	if !op.Unmetered {
		statuses = append(statuses, http.StatusTooManyRequests)
	}
	if op.keyed() {
		statuses = append(statuses, http.StatusConflict, http.StatusUnprocessableEntity)
	}
	statuses = append(statuses, bodyStatuses()...)
	content := a.describeErrorBody(f)
	responses := map[string]*huma.Response{}
	for _, status := range statuses {
		responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     content,
			Headers:     errorHeaders(status),
		}
	}
	return responses
}

// bodyStatuses are the refusals of operations that read a body.
func bodyStatuses() []int {
	return []int{http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType}
}

func (a *API) describeErrorBody(f *Facade) map[string]*huma.MediaType {
	schemas := a.document.Components.Schemas
	schemaOf := func(v any) *huma.MediaType {
		return &huma.MediaType{Schema: schemas.Schema(reflect.TypeOf(v), true, "Error")}
	}
	body, content := f.Body(&Error{}, ""), map[string]*huma.MediaType{}
	if _, ok := body.(problem); !ok {
		content[jsonType] = schemaOf(body)
	}
	if f.Problem {
		content[problemType] = schemaOf(problem{})
	}
	return content
}

func errorHeaders(status int) map[string]*huma.Param {
	headers := map[string]*huma.Param{"X-Request-ID": requestIDHeader()}
	text := &huma.Schema{Type: huma.TypeString}
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		headers["WWW-Authenticate"] = &huma.Param{Schema: text}
	case http.StatusConflict, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		headers["Retry-After"] = &huma.Param{Schema: text, Description: "Seconds to wait, when known."}
	}
	return headers
}

func requestIDHeader() *huma.Param {
	return &huma.Param{Schema: &huma.Schema{Type: huma.TypeString}, Description: "Correlates reply, log and request."}
}

// meterHeaders tell what is left of the limits.
func meterHeaders() map[string]*huma.Param {
	number := func(doc string) *huma.Param {
		return &huma.Param{Schema: &huma.Schema{Type: huma.TypeInteger}, Description: doc}
	}
	return map[string]*huma.Param{
		limitHeader:     number("How many requests may come at once; absent without a limit."),
		remainingHeader: number("How many of them are left."),
		resetHeader:     number("In how many seconds all of them will be."),
	}
}

// keyParam describes the header by which a call is recognised.
func keyParam() *huma.Param {
	return &huma.Param{
		Name: keyHeader, In: "header",
		Description: "Makes it safe to send the request again: the same request with the same key is carried out once, " +
			"and gets the same reply for 24 hours.",
		Schema: &huma.Schema{Type: huma.TypeString, MinLength: new(1), MaxLength: new(maxKey), Pattern: "^[ -~]+$"},
	}
}

func replayedParam() *huma.Param {
	return &huma.Param{
		Schema:      &huma.Schema{Type: huma.TypeString, Enum: []any{"true"}},
		Description: "The reply is that of an earlier request with the same Idempotency-Key; absent otherwise.",
	}
}

// describeStreams adds the content types that a stream may have, beside the JSON
// of a body if there may be one instead.
func describeStreams(described *huma.Operation, op Operation, bodied bool) {
	response := &huma.Response{Description: http.StatusText(op.Status), Content: map[string]*huma.MediaType{}}
	if bodied {
		response.Content[jsonType] = &huma.MediaType{}
		response.Headers = map[string]*huma.Param{
			rowCount: {Schema: &huma.Schema{Type: huma.TypeInteger}, Description: "A trailer, after the last row of an export: how many there are."},
		}
	}
	for _, contentType := range op.Streams {
		response.Content[contentType] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	}
	described.Responses[strconv.Itoa(op.Status)] = response
}

// documents is the document as it is served.
type documents struct {
	json, yaml []byte
	err        error
}

func (a *API) render() (d documents) {
	a.settled()
	a.share() // a request needs none of that
	if d.json, d.err = a.document.MarshalJSON(); d.err == nil {
		d.yaml, d.err = a.document.YAML()
	}
	return d
}

// Document returns the OpenAPI document as JSON. No operation may be
// registered after the first call.
func (a *API) Document() ([]byte, error) {
	d := a.rendered()
	return d.json, d.err
}

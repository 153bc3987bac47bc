package rest

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// settleOperation finishes what huma found in the types of an operation: a
// parameter is never null, every reply has a request id and tells the limits, and
// only who reads a body refuses bodies. It returns the query parameters by name.
func (rt *route) settleOperation(op *huma.Operation) map[string]*huma.Param {
	query := map[string]*huma.Param{}
	for _, p := range op.Parameters {
		p.Schema.Nullable = false
		if p.In == "query" {
			query[p.Name] = p
		}
	}
	success := op.Responses[strconv.Itoa(op.DefaultStatus)]
	if success.Headers == nil {
		success.Headers = map[string]*huma.Param{}
	}
	success.Headers["X-Request-ID"] = requestIDHeader()
	rt.settleHeaders(op)
	rt.ofSuccess = beyond(success.Headers, op.Responses["500"].Headers)
	if op.RequestBody == nil {
		for _, status := range bodyStatuses() {
			delete(op.Responses, strconv.Itoa(status))
		}
	}
	return query
}

// settleHeaders describes what requests and replies have beside what the
// operation says.
func (rt *route) settleHeaders(op *huma.Operation) {
	for _, response := range op.Responses {
		if response.Headers == nil {
			response.Headers = map[string]*huma.Param{}
		}
		if !rt.operation.Unmetered {
			maps.Copy(response.Headers, meterHeaders())
		}
		if rt.operation.keyed() {
			response.Headers[replayedHeader] = replayedParam()
		}
		for _, name := range rt.operation.ErrorHeaders {
			response.Headers[name] = op.Responses[strconv.Itoa(op.DefaultStatus)].Headers[name]
		}
	}
	if rt.operation.keyed() {
		op.Parameters = append(op.Parameters, keyParam())
	}
}

// beyond returns the names of headers that others have not.
func beyond(headers, others map[string]*huma.Param) (names []string) {
	for name := range headers {
		if others[name] == nil {
			names = append(names, name)
		}
	}
	return names
}

// settleSchemas mends what huma makes of all types: no array is ever null, a
// nullable enum has null, a reply may grow fields while a request may not have
// unknown ones, and huma's own errors are nowhere used.
func (a *API) settleSchemas() {
	schemas := a.document.Components.Schemas.Map()
	maps.DeleteFunc(schemas, func(name string, _ *huma.Schema) bool {
		return name == "ErrorModel" || name == "ErrorDetail"
	})
	asked := map[*huma.Schema]bool{}
	for _, op := range a.described() {
		a.settleContents(op, asked)
	}
	for _, s := range schemas {
		a.walk(s, map[*huma.Schema]bool{}, func(s *huma.Schema) { mend(s, asked[s]) })
	}
}

// settleContents mends the schemas that an operation holds itself, and notes
// those that its request reaches.
func (a *API) settleContents(op *huma.Operation, asked map[*huma.Schema]bool) {
	for _, p := range op.Parameters {
		mend(p.Schema, false)
	}
	if op.RequestBody != nil {
		for _, media := range op.RequestBody.Content {
			a.walk(media.Schema, asked, func(s *huma.Schema) { mend(s, true) })
		}
	}
	for _, response := range op.Responses {
		for _, media := range response.Content {
			if media.Schema != nil && media.Schema.Ref == "" {
				mend(media.Schema, false)
			}
		}
	}
}

func mend(s *huma.Schema, asked bool) {
	if s.Type == huma.TypeArray {
		s.Nullable = false
	}
	if s.Nullable && len(s.Enum) > 0 && !slices.Contains(s.Enum, nil) {
		s.Enum = append(s.Enum, nil)
	}
	if s.Type != huma.TypeObject {
		return
	}
	switch {
	case asked && s.AdditionalProperties == nil:
		s.AdditionalProperties = false
	case !asked && s.AdditionalProperties == false:
		s.AdditionalProperties = nil
	}
}

// walk visits s and all schemas below it once, through references.
func (a *API) walk(s *huma.Schema, seen map[*huma.Schema]bool, visit func(*huma.Schema)) {
	for s != nil && strings.HasPrefix(s.Ref, schemaPrefix) {
		s = a.document.Components.Schemas.SchemaFromRef(s.Ref)
	}
	if s == nil || seen[s] {
		return
	}
	seen[s] = true
	visit(s)
	a.walk(s.Items, seen, visit)
	for _, property := range s.Properties {
		a.walk(property, seen, visit)
	}
	if more, ok := s.AdditionalProperties.(*huma.Schema); ok {
		a.walk(more, seen, visit)
	}
}

package rest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// fewUses is how often the document may say the same thing in full: a reference to
// it is not much shorter.
const fewUses = 2

// share makes the document say once, below components, what many operations have
// alike: headers, parameters and refusals. Successes stay where they are, for they
// are what an operation is about.
func (a *API) share() {
	components, ops := a.document.Components, a.described()
	headers := newShelf[huma.Param]("headers")
	for _, op := range ops {
		for _, status := range sortedKeys(op.Responses) {
			headers.countAll(op.Responses[status].Headers)
		}
	}
	for _, op := range ops {
		for _, status := range sortedKeys(op.Responses) {
			describing := op.Responses[status].Headers
			for _, name := range sortedKeys(describing) {
				if ref := headers.refer(describing[name], name); ref != "" {
					describing[name] = &huma.Param{Ref: ref}
				}
			}
		}
	}
	components.Headers = headers.held
	components.Parameters = shareParameters(ops)
	components.Responses = shareRefusals(ops)
}

// described returns all operations of the document, in a stable order.
func (a *API) described() (all []*huma.Operation) {
	for _, path := range sortedKeys(a.document.Paths) {
		item := a.document.Paths[path]
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil {
				all = append(all, op)
			}
		}
	}
	return all
}

func shareParameters(ops []*huma.Operation) map[string]*huma.Param {
	shared := newShelf[huma.Param]("parameters")
	for _, op := range ops {
		for _, p := range op.Parameters {
			shared.count(p)
		}
	}
	for _, op := range ops {
		for i, p := range op.Parameters {
			if ref := shared.refer(p, p.In+"."+p.Name); ref != "" {
				op.Parameters[i] = &huma.Param{Ref: ref}
			}
		}
	}
	return shared.held
}

func shareRefusals(ops []*huma.Operation) map[string]*huma.Response {
	shared := newShelf[huma.Response]("responses")
	for _, op := range ops {
		shared.countAll(refusalsOf(op))
	}
	for _, op := range ops {
		refusals := refusalsOf(op)
		for _, status := range sortedKeys(refusals) {
			if ref := shared.refer(refusals[status], refusalName(status, refusals[status])); ref != "" {
				op.Responses[status] = &huma.Response{Ref: ref}
			}
		}
	}
	return shared.held
}

// refusalsOf returns the replies of an operation that are no success.
func refusalsOf(op *huma.Operation) map[string]*huma.Response {
	refusals := maps.Clone(op.Responses)
	maps.DeleteFunc(refusals, func(status string, _ *huma.Response) bool { return status[0] == '2' })
	return refusals
}

// refusalName names a refusal by the façade's word for its body, its status, and
// what only some operations have among its headers.
func refusalName(status string, r *huma.Response) string {
	var name strings.Builder
	for _, contentType := range []string{problemType, jsonType} {
		if media := r.Content[contentType]; media != nil && (contentType == jsonType || len(r.Content) == 1) {
			name.WriteString(strings.TrimPrefix(media.Schema.Ref, schemaPrefix))
		}
	}
	code, _ := strconv.Atoi(status)
	name.WriteString(strings.ReplaceAll(http.StatusText(code), " ", ""))
	usual := slices.Concat(sortedKeys(errorHeaders(code)), sortedKeys(meterHeaders()))
	for _, header := range sortedKeys(r.Headers) {
		switch {
		case header == replayedHeader:
			name.WriteString("Keyed")
		case !slices.Contains(usual, header):
			name.WriteString(strings.ReplaceAll(strings.TrimPrefix(header, "X-"), "-", ""))
		}
	}
	return name.String()
}

// A shelf holds what is said in several places of the document.
type shelf[T any] struct {
	prefix string
	uses   map[string]int    // how often each thing is said, by its JSON
	names  map[string]string // of the things on the shelf, by their JSON
	held   map[string]*T
}

func newShelf[T any](section string) *shelf[T] {
	return &shelf[T]{"#/components/" + section + "/", map[string]int{}, map[string]string{}, map[string]*T{}}
}

func (s *shelf[T]) count(thing *T) { s.uses[identity(thing)]++ }

func (s *shelf[T]) countAll(things map[string]*T) {
	for _, thing := range things {
		s.count(thing)
	}
}

// refer returns a reference to a thing, which it puts on the shelf if it is not
// there; "" if too few say the same. Things that are not alike get different
// names.
func (s *shelf[T]) refer(thing *T, name string) string {
	key := identity(thing)
	if s.uses[key] <= fewUses {
		return ""
	}
	if _, has := s.names[key]; !has {
		free := name
		for n := 2; s.held[free] != nil; n++ {
			free = name + strconv.Itoa(n)
		}
		s.names[key], s.held[free] = free, thing
	}
	return s.prefix + s.names[key]
}

// identity is the same for two things that the document would say in the same way.
func identity(thing any) string {
	data, err := json.Marshal(thing)
	if err != nil {
		panic(err) // descriptions always encode
	}
	return string(data)
}

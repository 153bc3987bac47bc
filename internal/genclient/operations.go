package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// operations writes a method for each operation whose reply is JSON.
func (d *openAPI) operations() string {
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(d.Paths[path])) {
			op := d.Paths[path][method]
			op.method, op.path = strings.ToUpper(method), path
			if op.reply() == nil && op.streams() {
				continue // see Client.Follow
			}
			op.write(&b)
			d.iterator(&b, op)
		}
	}
	return withImports(b.String())
}

// name is the Go name of the method.
func (op *operation) name() string { return exported(strings.TrimPrefix(op.ID, "v1")) }

// reply returns the schema of the JSON that a success has; nil for none.
func (op *operation) reply() *schema {
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		if m := op.Responses[status].Content["application/json"]; status[0] == '2' && m != nil {
			return m.Schema
		}
	}
	return nil
}

func (op *operation) streams() bool {
	r := op.Responses["200"]
	return r != nil && r.Content["text/event-stream"] != nil
}

// in returns the parameters in one place, without those that options are for.
func (op *operation) in(place string) []*parameter {
	var some []*parameter
	for _, p := range op.Parameters {
		if p.In == place && p.Name != "format" {
			some = append(some, p)
		}
	}
	return some
}

// content returns the content type and the Go type of the body.
func (op *operation) content() (contentType, kind string) {
	if op.RequestBody == nil {
		return "", ""
	}
	contentTypes := slices.Sorted(maps.Keys(op.RequestBody.Content))
	if len(contentTypes) == 0 {
		return "", ""
	}
	contentType = contentTypes[0]
	s := op.RequestBody.Content[contentType].Schema
	if contentType != "application/json" && s.Ref == "" {
		return contentType, "[]byte"
	}
	kind = goType(s)
	if !op.RequestBody.Required {
		kind = "*" + kind
	}
	return contentType, kind
}

// arguments returns those of the method, and how an iterator passes them on.
func (op *operation) arguments() (declared, passed []string) {
	declared, passed = []string{"ctx context.Context"}, []string{"ctx"}
	add := func(name, kind string) {
		declared, passed = append(declared, name+" "+kind), append(passed, name)
	}
	for _, p := range op.in("path") {
		add(unexported(p.Name), "string")
	}
	if len(op.in("query")) > 0 {
		add("query", op.name()+"Query")
	}
	if contentType, kind := op.content(); contentType != "" {
		add("body", kind)
	}
	return declared, passed
}

func (op *operation) write(b *strings.Builder) {
	name := op.name()
	op.writeQuery(b)
	text := name + ": " + strings.TrimSuffix(op.Summary, ".") + ". " + op.Description
	comment(b, "", fmt.Sprintf("%s (%s %s)", strings.TrimSpace(text), op.method, op.path))
	declared, _ := op.arguments()
	result, zero, end := "error", "", "c.do(ctx, r, nil, options)"
	reply := op.reply()
	if reply != nil {
		result, zero = "("+goType(reply)+", error)", "reply, "
		end = "c.do(ctx, r, &reply, options)"
	}
	fmt.Fprintf(b, "func (c *Client) %s(%s, options ...Option) %s {\n", name, strings.Join(declared, ", "), result)
	if reply != nil {
		fmt.Fprintf(b, "\tvar reply %s\n", goType(reply))
	}
	fmt.Fprintf(b, "\tr := request{method: %q, path: %s", op.method, op.goPath())
	if len(op.in("query")) > 0 {
		b.WriteString(", query: query.values()")
	}
	if contentType, kind := op.content(); contentType != "" {
		fmt.Fprintf(b, ", contentType: %q", contentType)
		if strings.HasPrefix(kind, "*") {
			b.WriteString("}\n\tif body != nil {\n\t\tr.body = body\n\t}\n")
		} else {
			b.WriteString(", body: body}\n")
		}
	} else {
		b.WriteString("}\n")
	}
	if zero == "" {
		fmt.Fprintf(b, "\treturn %s\n}\n\n", end)
		return
	}
	fmt.Fprintf(b, "\terr := %s\n\treturn %serr\n}\n\n", end, zero)
}

// goPath returns the expression for the path.
func (op *operation) goPath() string {
	var parts []string
	literal := ""
	for part := range strings.SplitSeq(strings.TrimPrefix(op.path, "/"), "/") {
		name, ok := strings.CutPrefix(part, "{")
		if !ok {
			literal += "/" + part
			continue
		}
		parts = append(parts, fmt.Sprintf("%q + url.PathEscape(%s)", literal+"/", unexported(strings.TrimSuffix(name, "}"))))
		literal = ""
	}
	if literal != "" {
		parts = append(parts, fmt.Sprintf("%q", literal))
	}
	return strings.Join(parts, " + ")
}

// writeQuery writes the type of the query parameters.
func (op *operation) writeQuery(b *strings.Builder) {
	params := op.in("query")
	if len(params) == 0 {
		return
	}
	name := op.name() + "Query"
	comment(b, "", name+" is what [Client."+op.name()+"] can be asked for. Zero values are left out.")
	fmt.Fprintf(b, "type %s struct {\n", name)
	var set strings.Builder
	for _, p := range params {
		if p.Description != "" {
			comment(b, "\t", p.Description)
		}
		field, kind := exported(p.Name), goType(p.Schema)
		if kind == "bool" {
			kind = "*bool"
		}
		fmt.Fprintf(b, "\t%s %s\n", field, kind)
		fmt.Fprintf(&set, "\t%s\n", setter(p.Name, field, kind))
	}
	fmt.Fprintf(b, "}\n\nfunc (q %s) values() url.Values {\n\tv := url.Values{}\n%s\treturn v\n}\n\n", name, set.String())
}

func setter(name, field, kind string) string {
	text := map[string]string{
		"string": "q." + field, "int64": "strconv.FormatInt(q." + field + ", 10)", "float64": "strconv.FormatFloat(q." + field + ", 'f', -1, 64)",
		"*bool": "strconv.FormatBool(*q." + field + ")", "time.Time": "q." + field + ".Format(time.RFC3339Nano)", "[]string": "strings.Join(q." + field + ", \",\")",
	}[kind]
	there := map[string]string{
		"string": `q.%s != ""`, "int64": "q.%s != 0", "float64": "q.%s != 0", "*bool": "q.%s != nil", "time.Time": "!q.%s.IsZero()", "[]string": "len(q.%s) > 0",
	}[kind]
	if text == "" {
		panic("genclient: a query parameter of type " + kind)
	}
	return fmt.Sprintf("if "+there+" {\n\t\tv.Set(%q, %s)\n\t}", field, name, text)
}

// iterator writes the method that follows the cursors of a list.
func (d *openAPI) iterator(b *strings.Builder, op *operation) {
	reply := op.reply()
	if reply == nil || reply.Ref == "" || !slices.ContainsFunc(op.in("query"), func(p *parameter) bool { return p.Name == "cursor" }) {
		return
	}
	page := d.Components.Schemas[lastPart(reply.Ref)]
	item, list := "", ""
	for _, name := range slices.Sorted(maps.Keys(page.Properties)) {
		if kind, _ := page.Properties[name].kind(); kind == "array" && list == "" {
			item, list = goType(page.Properties[name].Items), name
		}
	}
	if list == "" || page.Properties["pagination"] == nil {
		return
	}
	declared, passed := op.arguments()
	name := "All" + strings.TrimPrefix(op.name(), "List")
	comment(b, "", fmt.Sprintf("%s returns all that [Client.%s] lists, page by page as it is asked for. An error is the last that comes.", name, op.name()))
	fmt.Fprintf(b, `func (c *Client) %s(%s, options ...Option) iter.Seq2[%s, error] {
	return all(func(cursor string) ([]%s, *string, error) {
		if cursor != "" {
			query.Cursor, query.Offset = cursor, 0
		}
		page, err := c.%s(%s, options...)
		return page.%s, page.Pagination.NextCursor, err
	})
}

`, name, strings.Join(declared, ", "), item, item, op.name(), strings.Join(passed, ", "), exported(list))
}

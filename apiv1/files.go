package apiv1

import (
	"context"
	"fmt"
	"io"
	"iter"
	"math"
	"reflect"
	"strconv"
	"strings"

	"leyden/export"
	"leyden/rest"
)

// A listing is a list that can be had page by page, and whole as a file. I is
// what asks for it, L its JSON, R one row.
type listing[I, L, R any] struct {
	name   string // of the file, without its ending
	format func(*I) string
	page   func(context.Context, *I) (*bodied[L], error)
	rows   func(*L) []R

	// first makes in ask for the first part of a file, which is made of pages.
	first func(in *I)
	// next makes in ask for the part after a page; false when there is none.
	next func(in *I, page *L) bool
	// all returns all that in selects without pages; nil where there is no better
	// way.
	all func(context.Context, *I) (*whole[L, R], error)
	// own makes files of a format whose rows are others; it may be nil, or return nil.
	own func(ctx context.Context, in *I, f export.Format) (*ownFile, error)
}

// An ownFile is a file whose rows are not those of the list.
type ownFile struct {
	total int // how many rows to expect
	write func(io.Writer) (rows int64, err error)
}

// A listed is a page of a list, or all of it as a file.
type listed[L any] struct {
	rest.File
	Total      string `header:"X-Total-Count" doc:"Of a file: how many rows to expect."`
	LowerBound string `header:"X-Total-Count-Is-Lower-Bound" doc:"Of a file: true when there may be more than X-Total-Count."`
	Body       L
}

// A whole is all that a request selects.
type whole[L, R any] struct {
	head      *L // the list but for its rows
	total     int
	least     bool // there may be more than total
	uncounted bool // the list tells no total
	rows      iter.Seq2[R, error]
}

const (
	partRows  = 500           // of a file that is read in parts
	partLarge = 50            // of one whose rows may be large
	atOnce    = math.MaxInt32 // for lists that are in memory anyhow
)

// inParts returns a list whose input has a [rest.Window], read in that many rows
// at a time when it is a file.
func inParts[I, L, R any, P interface {
	*I
	Asked() *rest.Window
}](name string, step int, page func(context.Context, *I) (*bodied[L], error), rows func(*L) []R) listing[I, L, R] {
	return listing[I, L, R]{
		name: name, page: page, rows: rows,
		format: func(in *I) string { return P(in).Asked().Format },
		first: func(in *I) {
			P(in).Asked().PartOfFile(step, "")
		},
		next: func(in *I, l *L) bool {
			w := P(in).Asked()
			p, _ := paginationIn(*l)
			w.PartOfFile(w.Limit, p.NextCursor)
			return p.NextCursor != ""
		},
	}
}

// handleList registers a list.
func handleList[I, L, R any](a *api, op rest.Operation, l listing[I, L, R]) {
	op.Streams, op.Timeout = rest.FileTypes(), -1 // a file takes its time
	handle(a, op, func(ctx context.Context, in *I) (*listed[L], error) {
		if f, ok := rest.FileAsked(ctx, l.format(in)); ok {
			return l.file(ctx, in, f)
		}
		page, err := timely(ctx, l.page, in)
		if err != nil {
			return nil, err
		}
		return &listed[L]{Body: page.Body}, nil
	})
}

// timely returns a page, in the time that a request may take.
func timely[I, L any](ctx context.Context, page func(context.Context, *I) (*bodied[L], error), in *I) (*bodied[L], error) {
	ctx, cancel := context.WithTimeout(ctx, rest.RequestTimeout)
	defer cancel()
	return page(ctx, in)
}

// file answers with all that in selects.
func (l *listing[I, L, R]) file(ctx context.Context, in *I, f export.Format) (*listed[L], error) {
	out := &listed[L]{}
	if l.own != nil {
		own, err := l.own(ctx, in, f)
		if err != nil {
			return nil, err
		}
		if own != nil {
			out.Total = strconv.Itoa(own.total)
			out.SendFile(l.name, f, own.write)
			return out, nil
		}
	}
	gather := l.all
	if gather == nil {
		gather = l.parts
	}
	all, err := gather(ctx, in)
	if err != nil {
		return nil, err
	}
	if !all.uncounted {
		out.Total = strconv.Itoa(all.total)
	}
	if all.least {
		out.LowerBound = "true"
	}
	out.SendFile(l.name, f, func(w io.Writer) (int64, error) {
		if f == export.JSON {
			return all.writeDocument(w)
		}
		return export.Copy(w, f, all.rows, nil)
	})
	return out, nil
}

// parts gathers a file from pages. The first is read at once, so that what is
// wrong is told before anything is sent.
func (l *listing[I, L, R]) parts(ctx context.Context, in *I) (*whole[L, R], error) {
	l.first(in)
	page, err := timely(ctx, l.page, in)
	if err != nil {
		return nil, err
	}
	all := &whole[L, R]{head: &page.Body}
	p, counted := paginationIn(page.Body)
	all.total, all.least, all.uncounted = p.Total, p.TotalIsLowerBound, !counted
	all.rows = func(yield func(R, error) bool) {
		for page := page; ; {
			for _, row := range l.rows(&page.Body) {
				if !yield(row, nil) {
					return
				}
			}
			if !l.next(in, &page.Body) {
				return
			}
			var err error
			if page, err = timely(ctx, l.page, in); err != nil {
				yield(*new(R), err)
				return
			}
		}
	}
	return all, nil
}

// paginationIn returns the pagination of a list, if it has one.
func paginationIn(list any) (pagination, bool) {
	f := reflect.ValueOf(list).FieldByName("Pagination")
	if !f.IsValid() {
		return pagination{}, false
	}
	p, has := f.Interface().(pagination)
	return p, has
}

// writeDocument writes the same JSON as a page that held all rows.
func (all *whole[L, R]) writeDocument(w io.Writer) (rows int64, err error) {
	head := reflect.ValueOf(all.head).Elem()
	for i, before := 0, "{"; i < head.NumField(); i, before = i+1, "," {
		name, _, _ := strings.Cut(head.Type().Field(i).Tag.Get("json"), ",")
		if _, err := fmt.Fprintf(w, "%s%q:", before, name); err != nil {
			return rows, err
		}
		field := head.Field(i).Interface()
		switch field.(type) {
		case []R:
			rows, err = export.Copy(w, export.JSON, all.rows, nil)
		case pagination:
			err = writeJSON(w, pagination{Total: int(rows), Limit: int(rows)})
		default:
			err = writeJSON(w, field)
		}
		if err != nil {
			return rows, err
		}
	}
	_, err = io.WriteString(w, "}")
	return rows, err
}

func writeJSON(w io.Writer, v any) error {
	data, err := rest.Encode(v)
	if err == nil {
		_, err = w.Write(data)
	}
	return err
}

package rest

import (
	"context"
	"fmt"
	"io"
	"mime"
	"strconv"
	"strings"

	"leyden/export"
)

// A File lets an operation answer with a file of rows instead of its Body. Embed
// it in the output and call [File.SendFile].
type File struct {
	Stream
	Disposition string `header:"Content-Disposition" doc:"Of a file: its name."`
}

// SendFile makes the reply a file of that name and format, whose rows write
// writes and counts.
func (f *File) SendFile(name string, format export.Format, write func(io.Writer) (rows int64, err error)) {
	f.Disposition = fmt.Sprintf("attachment; filename=%q", name+"."+string(format))
	f.sendCounted(format.ContentType(), write)
}

// Asked returns w itself: the part of a list that an input with an embedded
// Window asks for.
func (w *Window) Asked() *Window { return w }

// FileTypes are the content types of files, for [Operation.Streams].
func FileTypes() []string {
	return []string{export.CSV.MediaType(), export.NDJSON.MediaType(), export.Parquet.MediaType()}
}

// FileAsked returns the format in which a list is asked for as a file, by the
// query's format or else by an Accept that names it; false for a page.
func FileAsked(ctx context.Context, format string) (export.Format, bool) {
	if format != "" {
		return export.ParseFormat(format)
	}
	asked := accepted(replyOf(ctx).request.Header.Values("Accept"), append([]string{jsonType}, FileTypes()...))
	for _, f := range export.Formats() {
		if f != export.JSON && f.MediaType() == asked {
			return f, true
		}
	}
	return "", false
}

// A preference is how much a client wants a content type (RFC 9110 §12.5.1).
type preference struct {
	weight   float64
	specific int // 2 for the type itself, 1 for type/*, 0 for */*
	place    int // among what is named
}

func (p preference) before(o preference) bool {
	if p.weight != o.weight {
		return p.weight > o.weight
	}
	if p.specific != o.specific {
		return p.specific > o.specific
	}
	return p.place < o.place
}

// accepted returns which of the offers a client prefers; the first when it does
// not say, or wants none of them. The others must be named: a range like text/*
// is no wish for a file.
func accepted(headers, offers []string) string {
	best, found := offers[0], preferenceOf(headers, offers[0])
	for _, offer := range offers[1:] {
		if p := preferenceOf(headers, offer); p.weight > 0 && p.specific == 2 && (found.weight == 0 || p.before(found)) {
			best, found = offer, p
		}
	}
	return best
}

// preferenceOf returns what the most specific range of Accept says of an offer.
func preferenceOf(headers []string, offer string) preference {
	found, place := preference{specific: -1}, 0
	for part := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		place++
		name, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		specific := specificity(name, offer)
		if specific <= found.specific {
			continue
		}
		weight := 1.0
		if q, ok := params["q"]; ok {
			if weight, err = strconv.ParseFloat(q, 64); err != nil {
				weight = 0
			}
		}
		found = preference{weight, specific, place}
	}
	return found
}

// specificity says how closely a range names an offer; -1 when it does not.
func specificity(name, offer string) int {
	family, _, _ := strings.Cut(offer, "/")
	switch name {
	case offer:
		return 2
	case family + "/*":
		return 1
	case "*/*":
		return 0
	}
	return -1
}

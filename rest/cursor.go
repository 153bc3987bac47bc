package rest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"leyden"
)

// A cursor is sent as base64url of: its version, the begin of a hash of the query
// that it belongs to, 1 and microseconds as a varint or 0 for an unknown time, the
// number as a varint, and the name.
const (
	cursorVersion = 1
	queryHash     = 8 // bytes
)

var errCursor = errors.New("malformed cursor")

// WriteCursor returns a place in the list that ctx's request asked for, in the
// form that the client sends back.
func WriteCursor(ctx context.Context, c leyden.Cursor) string {
	data := append([]byte{cursorVersion}, asked(ctx)...)
	if c.At.IsZero() {
		data = append(data, 0)
	} else {
		data = binary.AppendVarint(append(data, 1), c.At.UnixMicro())
	}
	data = binary.AppendVarint(data, c.ID)
	return base64.RawURLEncoding.EncodeToString(append(data, c.Name...))
}

// ReadCursor returns the place that a client sent, or the 400 that names it: for
// a text that is no cursor, for the cursor of another list, of other filters
// or of another order than ctx's request asks for.
func ReadCursor(ctx context.Context, text string) (leyden.Cursor, error) {
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(data) < 1+queryHash || data[0] != cursorVersion {
		return leyden.Cursor{}, Invalid("cursor", "is none that a list returned")
	}
	if !bytes.Equal(data[1:1+queryHash], asked(ctx)) {
		return leyden.Cursor{}, Invalid("cursor", "belongs to a list with other filters or in another order")
	}
	c, err := placeIn(data[1+queryHash:])
	if err != nil {
		return leyden.Cursor{}, Invalid("cursor", "is none that a list returned")
	}
	return c, nil
}

// placeIn reads what WriteCursor wrote behind the hash.
func placeIn(data []byte) (c leyden.Cursor, err error) {
	if len(data) == 0 || data[0] > 1 {
		return c, errCursor
	}
	known, data := data[0] == 1, data[1:]
	if known {
		at, n := binary.Varint(data)
		if n <= 0 {
			return c, errCursor
		}
		c.At, data = time.UnixMicro(at).UTC(), data[n:]
	}
	id, n := binary.Varint(data)
	if n <= 0 || !utf8.Valid(data[n:]) {
		return c, errCursor
	}
	c.ID, c.Name = id, string(data[n:])
	return c, nil
}

// Given reports whether ctx's request came with a parameter, were it with its
// default.
func Given(ctx context.Context, parameter string) bool {
	u := replyOf(ctx).request.URL
	return u != nil && u.Query().Has(parameter)
}

// asked returns a hash of the list that ctx's request asks for: of its path, its
// filters and its order, but not of which part of it is asked for and in what
// form it shall come.
func asked(ctx context.Context) []byte {
	r := replyOf(ctx).request
	text := ""
	if r.URL != nil {
		query := url.Values{}
		for name, values := range r.URL.Query() {
			if !slices.Contains([]string{"cursor", "limit", "offset", "page", "format"}, name) {
				query[name] = values
			}
		}
		text = strings.Join([]string{r.URL.Path, query.Encode()}, "?")
	}
	hash := sha256.Sum256([]byte(text))
	return hash[:queryHash]
}

package rest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"leyden"
	"leyden/export"
)

var _ export.Decimal = KWh{}

const (
	timeFormat = "date-time"
	timeLayout = "2006-01-02T15:04:05.000Z"
)

// A Time is an instant in a request or a reply. It is written in UTC with
// milliseconds, 2022-10-27T08:52:34.000Z, and as null when it is zero; the
// document says nullable unless the field is tagged nullable:"false". It reads
// RFC 3339; null and absent are the zero time.
type Time struct{ time.Time }

// MarshalJSON writes t, cut to milliseconds.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	// RFC 3339 is what package time writes fastest, and lists have hundreds.
	b := t.UTC().AppendFormat(append(make([]byte, 0, len(timeLayout)+2), '"'), time.RFC3339)
	ms := t.Nanosecond() / int(time.Millisecond)
	b = append(b[:len(b)-1], '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
	return append(b, `Z"`...), nil
}

// UnmarshalJSON reads a text of RFC 3339 or null.
func (t *Time) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*t = Time{}
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	return t.UnmarshalText([]byte(text))
}

// UnmarshalText reads a text of RFC 3339.
func (t *Time) UnmarshalText(text []byte) error {
	// RFC 3339 §5.6 allows "t" and "z".
	parsed, err := time.Parse(time.RFC3339, strings.ToUpper(string(text)))
	if err != nil {
		return fmt.Errorf("%.40q is no RFC 3339 time", text)
	}
	*t = Time{parsed}
	return nil
}

// Schema describes t in the document.
func (Time) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: timeFormat, Nullable: true}
}

// mendTime repairs a time of a query: a "+" that arrived as a space because it
// was not escaped, 2023-05-05T06:00:00 02:00, and lower-case letters, which RFC
// 3339 §5.6 allows and schemas do not.
func mendTime(text string) string {
	mended := text
	if i := len(text) - len("+02:00"); i >= 0 && text[i] == ' ' {
		mended = text[:i] + "+" + text[i+1:]
	}
	mended = strings.ToUpper(mended)
	if _, err := time.Parse(time.RFC3339, mended); err != nil {
		return text
	}
	return mended
}

// A KWh is an amount of energy that is written in kWh as an exact decimal:
// 14.0, 14.25, 0.001. The zero KWh is unknown and written as null.
type KWh struct {
	wattHours leyden.WattHours
	known     bool
}

// KWhOf returns wh in kWh; unknown for nil.
func KWhOf(wh *leyden.WattHours) KWh {
	if wh == nil {
		return KWh{}
	}
	return KWh{*wh, true}
}

// Thousandths returns k in Wh, or false when it is unknown.
func (k KWh) Thousandths() (int64, bool) { return int64(k.wattHours), k.known }

// MarshalJSON writes k with one to three decimals.
func (k KWh) MarshalJSON() ([]byte, error) {
	if !k.known {
		return []byte("null"), nil
	}
	return k.append(nil), nil
}

func (k KWh) append(b []byte) []byte {
	whole, rest := k.wattHours/1000, k.wattHours%1000
	if k.wattHours < 0 {
		b, whole, rest = append(b, '-'), -whole, -rest
	}
	b = strconv.AppendInt(b, int64(whole), 10)
	decimals := fmt.Sprintf(".%03d", rest)
	for len(decimals) > 2 && decimals[len(decimals)-1] == '0' {
		decimals = decimals[:len(decimals)-1]
	}
	return append(b, decimals...)
}

// Schema describes k in the document.
func (KWh) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeNumber, Nullable: true, Examples: []any{14.25}}
}

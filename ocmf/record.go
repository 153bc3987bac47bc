package ocmf

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A Record is an OCMF text, taken apart.
type Record struct {
	Text    string // all of it
	Payload string // what is signed, as it stands in Text
	Content Content
	Signature
}

// Content is the part of a payload that tells of meters and registers.
type Content struct {
	Version     string    `json:"FV"`
	Gateway     string    `json:"GI"`
	Pagination  string    `json:"PG"`
	MeterVendor string    `json:"MV"`
	MeterModel  string    `json:"MM"`
	MeterSerial string    `json:"MS"`
	Readings    []Reading `json:"RD"`
}

// A Reading is one value of a meter. What is empty is as in the reading before.
type Reading struct {
	Time   string      `json:"TM"` // with a letter for the state of the clock behind it
	Why    string      `json:"TX"` // B begin, C charging, X exception, E end; L, R, A, P are ends too
	Value  json.Number `json:"RV"`
	OBIS   string      `json:"RI"`
	Unit   string      `json:"RU"`
	Errors string      `json:"EF"`
	Status string      `json:"ST"` // G good
}

// A Signature is the last part of a text. Its zero value is that of a text with
// a part that could not be read.
type Signature struct {
	Algorithm string `json:"SA"` // "" means ECDSA-secp256r1-SHA256
	Encoding  string `json:"SE"` // hex or base64; "" means hex
	MIME      string `json:"SM"`
	Data      string `json:"SD"`
}

// ErrFormat is why something is no OCMF text.
var ErrFormat = errors.New("no OCMF text")

// Parse takes an OCMF text apart. The payload ends where its JSON object ends,
// whatever stands in its strings. What in it is of another type than it should be
// stays empty. A signature that cannot be read is no error here: [Key.Verify]
// finds it invalid.
func Parse(text string) (Record, error) {
	rest, ok := strings.CutPrefix(text, "OCMF|")
	if !ok {
		return Record{}, fmt.Errorf("%w: it does not begin with OCMF|", ErrFormat)
	}
	if !strings.HasPrefix(strings.TrimLeft(rest, " \t\r\n"), "{") {
		return Record{}, fmt.Errorf("%w: its payload is no JSON object", ErrFormat)
	}
	r := Record{Text: text}
	decoder := json.NewDecoder(strings.NewReader(rest))
	if err := decoder.Decode(&r.Content); err != nil && !mistyped(err) {
		return Record{}, fmt.Errorf("%w: payload: %w", ErrFormat, plain(err))
	}
	end := int(decoder.InputOffset())
	space, signature, ok := strings.Cut(rest[end:], "|")
	if !ok || strings.TrimSpace(space) != "" {
		return Record{}, fmt.Errorf("%w: no signature follows the payload", ErrFormat)
	}
	r.Payload = rest[:end+len(space)]
	if json.Unmarshal([]byte(signature), &r.Signature) != nil {
		r.Signature = Signature{}
	}
	return r, nil
}

// mistyped reports whether JSON was read although some of it was of another type
// than expected.
func mistyped(err error) bool {
	_, ok := errors.AsType[*json.UnmarshalTypeError](err)
	return ok
}

// plain returns an error about a payload that ends too early as one about JSON.
func plain(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// A Wrapped value is what a station sent as one signed sample.
type Wrapped struct {
	Text          string // the signed text
	PublicKey     string // as the station sent it along; "" when it did not
	SigningMethod string
	Encoding      string // encodingMethod; OCMF for a text that is not wrapped and begins with it; "" unknown
}

// Unwrap returns what a signed sample holds: the text of OCPP 1.6's JSON object
// signedMeterData, or value itself when it is no such object.
func Unwrap(value string) Wrapped {
	var o struct {
		Data   string `json:"signedMeterData"`
		Method string `json:"signingMethod"`
		Coding string `json:"encodingMethod"`
		Key    string `json:"publicKey"`
	}
	if !strings.HasPrefix(strings.TrimSpace(value), "{") || json.Unmarshal([]byte(value), &o) != nil || o.Data == "" {
		return Wrapped{Text: value, Encoding: encodingOf(value)}
	}
	w := Wrapped{Text: o.Data, PublicKey: o.Key, SigningMethod: o.Method, Encoding: o.Coding}
	if encodingOf(o.Data) != "" {
		return w // as it is, though it should be base64
	}
	if text, err := fromBase64(o.Data); err == nil {
		w.Text = string(text)
	}
	return w
}

// Record takes the text apart. A text that names no algorithm was signed as the
// object around it says.
func (w Wrapped) Record() (Record, error) {
	r, err := Parse(w.Text)
	if err == nil && r.Algorithm == "" {
		r.Algorithm = w.SigningMethod
	}
	return r, err
}

func encodingOf(text string) string {
	if strings.HasPrefix(text, "OCMF|") {
		return "OCMF"
	}
	return ""
}

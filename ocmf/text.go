package ocmf

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
)

// fromBase64 reads base64 in either alphabet, padded or not, over several lines
// or in one.
func fromBase64(text string) ([]byte, error) {
	text = strings.NewReplacer("-", "+", "_", "/", "\n", "", "\r", "", " ", "", "\t", "").Replace(text)
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
}

// fromHex reads hexadecimal digits as labels print them, with spaces, colons or
// dashes between them.
func fromHex(text string) ([]byte, error) {
	text = strings.NewReplacer(" ", "", ":", "", "-", "", "\n", "", "\r", "", "\t", "").Replace(text)
	text = strings.TrimPrefix(strings.TrimPrefix(text, "0x"), "0X")
	if text == "" {
		return nil, errors.New("it is empty")
	}
	return hex.DecodeString(text)
}

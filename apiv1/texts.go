package apiv1

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"leyden/rest"
)

// checkName refuses what cannot name a thing for people and for other systems: one
// who reads it must be able to write it.
func checkName(field, text string) error {
	if strings.TrimSpace(text) != text || strings.ContainsFunc(text, unicode.IsControl) {
		return rest.Invalid(field, "must be readable text without spaces around it")
	}
	return nil
}

// checkProse refuses what nobody reads in a text of several lines.
func checkProse(field, text string) error {
	hidden := func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\n\r\t", r) }
	if strings.ContainsFunc(text, hidden) {
		return rest.Invalid(field, "must be readable text: of control characters it may have line breaks and tabs")
	}
	return nil
}

// checkMetadata refuses what the record of a transaction cannot hold.
func checkMetadata(m map[string]string) error {
	if len(m) > maxMetadata {
		return rest.Invalid("metadata", fmt.Sprintf("has more than %d entries", maxMetadata))
	}
	for name, value := range m {
		if n := utf8.RuneCountInString(name); n < 1 || n > maxMetadataName {
			return rest.Invalid("metadata", fmt.Sprintf("a name must have 1 to %d characters", maxMetadataName))
		}
		if checkName("", name) != nil {
			return rest.Invalid("metadata", "a name must be readable text without spaces around it")
		}
		if utf8.RuneCountInString(value) > maxMetadataValue {
			return rest.Invalid("metadata."+name, fmt.Sprintf("has more than %d characters", maxMetadataValue))
		}
		if err := checkProse("metadata."+name, value); err != nil {
			return err
		}
	}
	return nil
}

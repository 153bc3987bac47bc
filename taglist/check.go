package taglist

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"leyden"
)

const (
	maxTag    = 20 // OCPP 1.6 §7.28
	maxNote   = 500
	maxActive = 1000
)

// Check returns what is wrong with an idTag that an operator gives, by column.
// Whether its vehicle exists the registry knows.
func Check(t *leyden.Token) []Problem {
	var wrong []Problem
	note := func(column, reason string) {
		if reason != "" {
			wrong = append(wrong, Problem{Column: column, Reason: reason})
		}
	}
	if t.Value == "" {
		note(colTag, "is required")
	}
	note(colTag, identifies(t.Value))
	note(colParent, identifies(t.Parent))
	if t.MaxActive < 0 || t.MaxActive > maxActive {
		note(colMax, fmt.Sprintf("must be a number from 1 to %d, or empty for no limit", maxActive))
	}
	if utf8.RuneCountInString(t.Note) > maxNote {
		note(colNote, fmt.Sprintf("has more than %d characters", maxNote))
	}
	if strings.ContainsFunc(t.Note, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\n\r\t", r) }) {
		note(colNote, hidden)
	}
	return wrong
}

// hidden says what is wrong with a text that nobody can read.
const hidden = "has a character that cannot be shown"

// identifies returns why a text cannot be an idTag.
func identifies(text string) string {
	switch {
	case utf8.RuneCountInString(text) > maxTag:
		return fmt.Sprintf("has more than %d characters", maxTag)
	case strings.ContainsFunc(text, unicode.IsControl):
		return hidden
	}
	return ""
}

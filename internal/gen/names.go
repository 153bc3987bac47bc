package main

import (
	"slices"
	"strings"
	"unicode"
)

// goName turns the name of a property into the Go name of a field: idTag into
// IDTag when id is an initialism.
func goName(property string, initialisms []string) string {
	var b strings.Builder
	for _, word := range words(property) {
		if slices.Contains(initialisms, strings.ToLower(word)) {
			b.WriteString(strings.ToUpper(word))
			continue
		}
		b.WriteString(capital(word))
	}
	return b.String()
}

// valueName turns an enum value into the part of a constant's name that
// follows the type: Energy.Active.Import.Register into
// EnergyActiveImportRegister.
func valueName(value string) string {
	var b strings.Builder
	part := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	for _, word := range strings.FieldsFunc(value, part) {
		b.WriteString(capital(word))
	}
	return b.String()
}

// fileName turns a type's name into that of its file: StartTransaction into
// start_transaction_gen.go.
func fileName(typ string) string {
	return strings.ToLower(strings.Join(words(typ), "_")) + generatedSuffix
}

// words splits camel case; a run of capitals is one word: IDTagInfo is ID, Tag
// and Info.
func words(name string) []string {
	var list []string
	runes := []rune(name)
	start := 0
	for i := 1; i < len(runes); i++ {
		up := unicode.IsUpper(runes[i])
		begins := up && !unicode.IsUpper(runes[i-1])
		ends := up && i+1 < len(runes) && unicode.IsLower(runes[i+1])
		if begins || ends {
			list = append(list, string(runes[start:i]))
			start = i
		}
	}
	return append(list, string(runes[start:]))
}

func capital(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

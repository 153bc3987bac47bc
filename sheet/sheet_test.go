package sheet_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"leyden/sheet"
)

func TestHarmless(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""}, {"plain", "plain"}, {"=1+1", "'=1+1"}, {"+49", "'+49"}, {"-1", "'-1"}, {"@x", "'@x"}, {"  =1", "'  =1"}, {"\tx", "'\tx"},
		{"'=1", "''=1"}, {"' '@", "'' '@"}, {"'quoted'", "'quoted'"}, {"a=b", "a=b"}, {"'", "'"},
		{"＝1", "'＝1"}, {"－1", "'－1"}, {"\ufeff=1", "'\ufeff=1"}, {"\ufeffa", "\ufeffa"}, {"日本", "日本"}, {"\xff=", "\xff="},
		{"x;=1+1;y", "x;'=1+1;y"}, {"x; '-1", "x;' '-1"}, {`x;"=1`, `x;'"=1`}, {";;", ";;"}, {"=;=", "'=;'="}, {`"=1`, `'"=1`},
	} {
		got := sheet.Harmless(c.text)
		if got != c.want || sheet.Plain(got) != c.text {
			t.Errorf("Harmless(%q) = %q, and back %q; want %q", c.text, got, sheet.Plain(got), c.want)
		}
	}
}

func FuzzHarmless(f *testing.F) {
	for _, seed := range []string{"=1", "'=1", "' =", "'", "\r\n", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		shown := sheet.Harmless(text)
		if got := sheet.Plain(shown); got != text {
			t.Errorf("%q was written as %q and read as %q", text, shown, got)
		}
		for cell := range strings.SplitSeq(shown, ";") {
			if start := strings.TrimLeft(cell, " \""); start != "" && strings.ContainsAny(start[:1], "=+-@\t\r\n") {
				t.Errorf("%q is computed", shown)
			}
		}
	})
}

func read(text string) (lines []string, err error) {
	r, err := sheet.NewReader([]byte(text))
	if err != nil {
		return nil, err
	}
	for {
		cells, line, err := r.Read()
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return append(lines, fmt.Sprint(line)), err
		}
		lines = append(lines, fmt.Sprintf("%d:%s", line, strings.Join(cells, "|")))
	}
}

func TestReader(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
		err  string
	}{
		"plain":            {"a,b\r\n1,2\r\n", []string{"1:a|b", "2:1|2"}, ""},
		"no last line end": {"a,b\n1,2", []string{"1:a|b", "2:1|2"}, ""},
		"byte order mark":  {"\ufeffa,b\n", []string{"1:a|b"}, ""},
		"semicolons":       {"a;b\n1,5;2\n", []string{"1:a|b", "2:1,5|2"}, ""},
		"tabs":             {"a\tb\n1\t2\n", []string{"1:a|b", "2:1|2"}, ""},
		"told separator":   {"sep=;\r\na;b,c\r\n1;2\r\n", []string{"2:a|b,c", "3:1|2"}, ""},
		"quotes":           {"a,b\n\"1\n\"\"x\"\"\",'=2\n3,4\n", []string{"1:a|b", "2:1\n\"x\"|=2", "4:3|4"}, ""},
		"empty lines":      {"a,b\n\n, \n1,2\n", []string{"1:a|b", "4:1|2"}, ""},
		"one column":       {"a\n1\n", []string{"1:a", "2:1"}, ""},
		"nothing":          {"", nil, ""},
		"a stray quote":    {"a,b\n1\"2,3\n", []string{"1:a|b", "2"}, "bare \" in non-quoted-field"},
		"an open quote":    {"a,b\n\"1,3\n4\n", []string{"1:a|b", "2"}, "extraneous or missing \" in quoted-field"},
		"Latin-1":          {"a\n\xe4\n", nil, sheet.ErrEncoding.Error()},
	} {
		got, err := read(c.text)
		if !slices.Equal(got, c.want) || err == nil && c.err != "" || err != nil && err.Error() != c.err {
			t.Errorf("%s: got %q, %v; want %q, %s", name, got, err, c.want, c.err)
		}
	}
}

func TestWriter(t *testing.T) {
	var b bytes.Buffer
	w := sheet.NewWriter(&b)
	if err := w.Write([]string{"a,b", `say "x"`, " c"}); err != nil {
		t.Fatal(err)
	}
	w.Flush()
	if want := "\"a,b\",\"say \"\"x\"\"\",\" c\"\r\n"; b.String() != want || w.Error() != nil {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

package main

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// A battery is one file of testdata/battery: settings, and what is wrong with what
// a station sends, a line each. TestBattery says how it is written.
type battery struct {
	name   string
	about  string // frames, handshakes or payloads
	server string // arguments of its server
	trials []*trial
	names  map[string]string // of texts that are long
}

// A trial is one line: what is sent, and what must come of it.
type trial struct {
	at   string // file and line
	n    int    // its number in the file
	want want
	sent string

	registration string // of the station: Accepted unless it says otherwise
	plain        bool   // the station offers no compression
	ask          string // the command that sent answers, as METHOD /path BODY
	called       string // the id of its call, once it came
}

// A want is what must come of a trial.
type want struct {
	what  string // result, ignored, close, pong, gone, status, or the code of a CALLERROR
	code  int    // of a close or of HTTP
	noID  bool   // the CALLERROR has the id -1
	kept  bool   // the message is in quarantine
	holds string // what stands in the answer
}

func readBattery(t *testing.T, file string) *battery {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b := &battery{name: strings.TrimSuffix(file[strings.LastIndexByte(file, '/')+1:], ".txt"), names: map[string]string{}}
	now := trial{registration: "Accepted"}
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimRight(line, " \t\r")
		now.at = fmt.Sprintf("%s:%d", file, i+1)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "! "):
			if err := b.set(&now, line[2:]); err != nil {
				t.Fatalf("%s: %v", now.at, err)
			}
		default:
			tr := now
			if err := tr.read(line); err != nil {
				t.Fatalf("%s: %v", now.at, err)
			}
			tr.n = len(b.trials) + 1
			b.trials = append(b.trials, &tr)
		}
	}
	return b
}

// set reads a setting, which counts from here on.
func (b *battery) set(now *trial, line string) error {
	name, value, _ := strings.Cut(line, " ")
	switch name {
	case "about":
		b.about = value
	case "serve":
		b.server = value
	case "registration":
		now.registration = value
	case "compression":
		now.plain = value == "off"
	case "ask":
		now.ask = value
	case "text":
		key, text, _ := strings.Cut(value, " ")
		b.names[key] = text
	default:
		return fmt.Errorf("no setting %q", name)
	}
	return nil
}

// read reads a line: what must come, two spaces or more, what is sent.
func (tr *trial) read(line string) error {
	column, sent, ok := strings.Cut(line, "  ")
	if !ok {
		return fmt.Errorf("two spaces stand between what must come and what is sent")
	}
	tr.sent = strings.TrimLeft(sent, " ")
	word, rest, _ := strings.Cut(column, " ")
	w := want{what: word}
	if n, err := strconv.Atoi(word); err == nil {
		w.what, w.code = "status", n
	}
	if word == "close" {
		number, more, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(number)
		if err != nil {
			return fmt.Errorf("close with what?")
		}
		w.code, rest = n, more
	}
	for flag := range strings.FieldsSeq(rest) {
		switch flag {
		case "-1":
			w.noID = true
		case "+":
			w.kept = true
		default:
			w.holds = strings.TrimSpace(w.holds + " " + flag)
		}
	}
	tr.want = w
	return nil
}

var (
	variable = regexp.MustCompile(`\$\{([^}]*)\}`)
	byteText = regexp.MustCompile(`\\x[0-9a-f]{2}`)
	repeated = regexp.MustCompile(`(?s)^(\d+)\*(.*)$`)
)

// expand puts in for ${NAME} what it stands for: a text that the file or the
// caller names, ${N*TEXT} that many of a text, ${base64 TEXT} what
// it says, and otherwise the text itself; \xHH in it is a byte. "@" is the trial's own id.
func (tr *trial) expand(text string, names ...map[string]string) string {
	text = variable.ReplaceAllStringFunc(text, func(v string) string {
		v = v[2 : len(v)-1]
		for _, m := range names {
			if s, ok := m[v]; ok {
				return tr.expand(s, names...)
			}
		}
		if pair, ok := strings.CutPrefix(v, "base64 "); ok {
			return base64.StdEncoding.EncodeToString([]byte(tr.expandNames(pair, names)))
		}
		count := 1
		if m := repeated.FindStringSubmatch(v); m != nil {
			count, _ = strconv.Atoi(m[1]) // digits
			v = m[2]
		}
		return strings.Repeat(unescape(v), count)
	})
	return strings.ReplaceAll(text, `"@"`, `"`+tr.id()+`"`)
}

// expandNames puts in names that stand alone, as <NAME>.
func (tr *trial) expandNames(text string, names []map[string]string) string {
	for _, m := range names {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			text = strings.ReplaceAll(text, "<"+k+">", m[k])
		}
	}
	return unescape(text)
}

func unescape(text string) string {
	return byteText.ReplaceAllStringFunc(text, func(b string) string {
		n, _ := strconv.ParseUint(b[2:], 16, 8) // two hex digits
		return string([]byte{byte(n)})
	})
}

// id returns what "@" stands for.
func (tr *trial) id() string { return cmp.Or(tr.called, fmt.Sprintf("c%d", tr.n)) }

// times returns how often a trial sends its message.
func (tr *trial) times() int {
	n, _ := cutTimes(tr.sent)
	return n
}

// cutTimes reads "20x " in front of a text.
func cutTimes(text string) (times int, rest string) {
	number, rest, ok := strings.Cut(text, "x ")
	n, err := strconv.Atoi(number)
	if !ok || err != nil {
		return 1, text
	}
	return n, rest
}

// isBad reports whether a trial is about what must not have its way. The others
// are odd, and are taken all the same.
func (tr *trial) isBad() bool {
	switch tr.want.what {
	case "result", "any", "pong":
		return false
	}
	return tr.want.code != http.StatusOK && tr.want.code != http.StatusSwitchingProtocols
}

// isRequest reports whether a trial is about a handshake.
func (tr *trial) isRequest() bool { return tr.want.what == "status" && tr.ask == "" }

// head returns the request of a handshake: METHOD TARGET, then changes to a good
// header, each after a bar: "Name: value" sets, "+Name: value" adds, "-Name"
// removes.
func (tr *trial) head(h http.Header, names map[string]string) (line string) {
	parts := strings.Split(tr.sent, " | ")
	for _, p := range parts[1:] {
		p = tr.expand(p, names)
		if name, gone := strings.CutPrefix(p, "-"); gone {
			delete(h, name)
			continue
		}
		name, value, _ := strings.Cut(p, ": ")
		if more, adds := strings.CutPrefix(name, "+"); adds {
			h[more] = append(h[more], value)
			continue
		}
		h[name] = []string{value}
	}
	line = tr.expand(parts[0], names)
	if !strings.Contains(line, " HTTP/") {
		line += " HTTP/1.1"
	}
	return line
}

// frames returns what is written for a text that is sent: one message, or with
// "%" in front frames as wireFrames reads them, between semicolons.
func (tr *trial) frames(names ...map[string]string) (frames [][]byte, err error) {
	for part := range strings.SplitSeq(tr.sent, " ; ") {
		count, part := cutTimes(part)
		f := plainFrame(tr.expand(part, names...)).bytes()
		if script, ok := strings.CutPrefix(part, "%"); ok {
			if f, err = tr.scripted(script, names...); err != nil {
				return nil, err
			}
		}
		for range count {
			frames = append(frames, f)
		}
	}
	return frames, nil
}

var opCodes = map[string]ws.OpCode{"text": ws.OpText, "binary": ws.OpBinary, "cont": ws.OpContinuation, "ping": ws.OpPing, "pong": ws.OpPong, "close": ws.OpClose}

// scripted reads one frame: options, an opcode, the payload. The options are
// unmasked, more (fragments follow), rsv1 to rsv3, deflate, again (deflate that
// refers to the same payload before), split=N (in fragments of so many bytes),
// announce=N (a length that is a lie) and keep=N (only so many bytes are sent); "raw"
// in place of the opcode sends the bytes as they are.
func (tr *trial) scripted(script string, names ...map[string]string) ([]byte, error) {
	f, split := plainFrame(""), 0
	for {
		word, rest, _ := strings.Cut(script, " ")
		script = rest
		option, value, _ := strings.Cut(word, "=")
		n, _ := strconv.Atoi(value)
		op, isOp := opCodes[word]
		if number, reserved := strings.CutPrefix(word, "op"); reserved {
			n, err := strconv.Atoi(number)
			op, isOp = ws.OpCode(n), err == nil
		}
		switch {
		case word == "raw":
			return []byte(tr.expand(rest, names...)), nil
		case isOp:
			f.OpCode, f.payload = op, []byte(tr.expand(rest, names...))
			f.compress()
			if split > 0 {
				return f.split(split), nil
			}
			return f.bytes(), nil
		case option == "unmasked":
			f.Masked = false
		case option == "more":
			f.Fin = false
		case option == "deflate":
			f.Rsv = rsvDeflate
		case option == "again":
			f.Rsv = rsvAgain
		case option == "split":
			split = n
		case option == "rsv1" || option == "rsv2" || option == "rsv3":
			f.Rsv = ws.Rsv(option == "rsv1", option == "rsv2", option == "rsv3")
		case option == "announce":
			f.announce = n
		case option == "keep":
			f.keep = n
		default:
			return nil, fmt.Errorf("what is %q?", word)
		}
	}
}

// Marks of a frame whose payload is to be compressed. They are no values that a
// frame has.
const (
	rsvDeflate = 0xff
	rsvAgain   = 0xfe
)

// compress does what a mark says.
func (f *wireFrame) compress() {
	switch f.Rsv {
	case rsvDeflate:
		f.payload, f.Rsv = deflated(f.payload), ws.Rsv(true, false, false)
	case rsvAgain:
		f.payload, f.Rsv = deflated(f.payload, f.payload), ws.Rsv(true, false, false)
	}
}

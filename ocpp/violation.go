package ocpp

import (
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// MaxViolations is how many violations of one payload are listed; a hostile
// payload could otherwise hold a third of a million. Further ones are counted
// in Dropped, in the order of the payload.
const MaxViolations = 4096

// Add lists a violation, or counts it when the list is full.
func (v *Violations) Add(path string, code ErrorCode, reason string, kept bool) {
	if len(v.List) >= MaxViolations {
		v.Dropped++
		return
	}
	v.List = append(v.List, Violation{path, code, reason, kept})
}

// At returns the first violation whose path is exactly path.
func (v *Violations) At(path string) (Violation, bool) {
	for _, x := range v.List {
		if x.Path == path {
			return x, true
		}
	}
	return Violation{}, false
}

// Err returns the first violation as an [*Error], or nil when there is none.
func (v *Violations) Err() error {
	if len(v.List) == 0 {
		return nil
	}
	return v.List[0].Err()
}

// Reset empties v and keeps its capacity, so that one value can serve many
// payloads.
func (v *Violations) Reset() { *v = Violations{List: v.List[:0], Local: v.Local} }

// local counts a timestamp without a zone and returns the time that it means.
func (v *Violations) local(t time.Time) time.Time {
	v.Zoneless++
	if v.Local == nil {
		return t
	}
	return v.Local(t)
}

// Err returns x as what a CALLERROR about it would say.
func (x Violation) Err() *Error { return &Error{Code: x.Code, Description: x.String()} }

// String returns x for a log or an error: its path and its reason.
func (x Violation) String() string {
	if x.Path == "" {
		return x.Reason
	}
	return x.Path + " " + x.Reason
}

// Under puts name before the paths of all violations from index mark on: they
// were found inside the property of that name. Paths are put together on the
// way out, so that a payload without violations pays nothing for them.
func (v *Violations) Under(mark int, name string) {
	if len(v.List) > mark {
		prefix(v.List[mark:], name)
	}
}

// UnderItem is Under for the item of a list.
func (v *Violations) UnderItem(mark, index int) {
	if len(v.List) > mark {
		prefix(v.List[mark:], "["+strconv.Itoa(index)+"]")
	}
}

func prefix(list []Violation, name string) {
	for i := range list {
		x := &list[i]
		if x.Path != "" && x.Path[0] != '[' {
			x.Path = name + "." + x.Path
			continue
		}
		x.Path = name + x.Path
	}
}

// CheckText lists what is wrong with the length of text, in characters. An
// empty text where one is needed says nothing and is not kept.
func (v *Violations) CheckText(path, text string, least, most int) {
	if len(text) > most && utf8.RuneCountInString(text) > most {
		v.Add(path, PropertyConstraint, "is longer than "+strconv.Itoa(most)+" characters", true)
	}
	if least == 0 {
		return
	}
	if text == "" {
		v.Add(path, PropertyConstraint, "is empty", false)
		return
	}
	if least > 1 && utf8.RuneCountInString(text) < least {
		v.Add(path, PropertyConstraint, "is shorter than "+strconv.Itoa(least)+" characters", true)
	}
}

// CheckInt lists n when it is outside its bounds.
func (v *Violations) CheckInt(path string, n, least, most int) {
	if n < least {
		v.Add(path, PropertyConstraint, "is below "+strconv.Itoa(least), true)
	}
	if n > most {
		v.Add(path, PropertyConstraint, "is above "+strconv.Itoa(most), true)
	}
}

// CheckNumber lists x when it is outside its bounds or no number that JSON
// knows.
func (v *Violations) CheckNumber(path string, x, least, most float64) {
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		v.Add(path, TypeConstraint, "is not a finite number", false)
	case x < least:
		v.Add(path, PropertyConstraint, "is below "+strconv.FormatFloat(least, 'f', -1, 64), true)
	case x > most:
		v.Add(path, PropertyConstraint, "is above "+strconv.FormatFloat(most, 'f', -1, 64), true)
	}
}

// CheckStep lists x when it is no multiple of 1/steps: the schemas give limits
// in tenths, which only their inverse says exactly.
func (v *Violations) CheckStep(path string, x float64, steps int) {
	if whole := math.Round(x * float64(steps)); whole/float64(steps) != x {
		v.Add(path, PropertyConstraint, "is not a multiple of 1/"+strconv.Itoa(steps), true)
	}
}

// CheckTime lists a time that was never set or that a timestamp cannot say.
func (v *Violations) CheckTime(path string, t time.Time) {
	if t.IsZero() {
		v.Add(path, OccurenceConstraint, "is required", false)
		return
	}
	if y := t.UTC().Year(); y < 0 || y > 9999 {
		v.Add(path, TypeConstraint, "is not a timestamp", false)
	}
}

// CheckItems lists a list of n items when that is too few or too many.
func (v *Violations) CheckItems(path string, n, least, most int) {
	if n < least {
		v.Add(path, PropertyConstraint, "has fewer than "+strconv.Itoa(least)+" items", true)
	}
	if n > most {
		v.Add(path, PropertyConstraint, "has more than "+strconv.Itoa(most)+" items", true)
	}
}

// Unlisted lists an enum value that the schema does not know; the raw text is
// kept.
func (v *Violations) Unlisted(path string) {
	v.Add(path, PropertyConstraint, "is not one of the listed values", true)
}

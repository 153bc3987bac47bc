package ocpp_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"leyden/ocpp"
)

func TestChecks(t *testing.T) {
	const most = math.MaxInt
	for _, c := range []struct {
		name  string
		check func(v *ocpp.Violations)
		want  string
	}{
		{"text", func(v *ocpp.Violations) { v.CheckText("p", "éé", 0, 2) }, ""},
		{"text too long", func(v *ocpp.Violations) { v.CheckText("p", "ééé", 0, 2) }, "p is longer than 2 characters"},
		{"text too short", func(v *ocpp.Violations) { v.CheckText("p", "é", 2, most) }, "p is shorter than 2 characters"},
		{"no text", func(v *ocpp.Violations) { v.CheckText("p", "", 2, most) }, "p is empty"},
		{"int", func(v *ocpp.Violations) { v.CheckInt("p", 3, 3, 3) }, ""},
		{"int too small", func(v *ocpp.Violations) { v.CheckInt("p", 2, 3, 3) }, "p is below 3"},
		{"int too large", func(v *ocpp.Violations) { v.CheckInt("p", 4, 3, 3) }, "p is above 3"},
		{"number", func(v *ocpp.Violations) { v.CheckNumber("p", 0.5, 0.5, 0.5) }, ""},
		{"number too small", func(v *ocpp.Violations) { v.CheckNumber("p", 0.4, 0.5, 1) }, "p is below 0.5"},
		{"number too large", func(v *ocpp.Violations) { v.CheckNumber("p", 1.1, 0.5, 1) }, "p is above 1"},
		{"NaN", func(v *ocpp.Violations) { v.CheckNumber("p", math.NaN(), 0, 1) }, "p is not a finite number"},
		{"infinity", func(v *ocpp.Violations) { v.CheckNumber("p", math.Inf(1), 0, math.Inf(1)) }, "p is not a finite number"},
		{"tenths", func(v *ocpp.Violations) { v.CheckStep("p", 1234.7, 10) }, ""},
		{"no tenths", func(v *ocpp.Violations) { v.CheckStep("p", 1234.75, 10) }, "p is not a multiple of 1/10"},
		{"time", func(v *ocpp.Violations) { v.CheckTime("p", time.Unix(0, 0)) }, ""},
		{"no time", func(v *ocpp.Violations) { v.CheckTime("p", time.Time{}) }, "p is required"},
		{"time before all", func(v *ocpp.Violations) { v.CheckTime("p", time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)) }, "p is not a timestamp"},
		{"items", func(v *ocpp.Violations) { v.CheckItems("p", 2, 1, 2) }, ""},
		{"too few items", func(v *ocpp.Violations) { v.CheckItems("p", 0, 1, 2) }, "p has fewer than 1 items"},
		{"too many items", func(v *ocpp.Violations) { v.CheckItems("p", 3, 1, 2) }, "p has more than 2 items"},
		{"unlisted", func(v *ocpp.Violations) { v.Unlisted("p") }, "p is not one of the listed values"},
	} {
		var v ocpp.Violations
		c.check(&v)
		var got []string
		for _, x := range v.List {
			got = append(got, x.String())
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: got %q, want %q", c.name, s, c.want)
		}
	}
}

func TestPathsGrowOutwards(t *testing.T) {
	var v ocpp.Violations
	v.Add("before", ocpp.TypeConstraint, "is wrong", false)
	v.Add("unit", ocpp.TypeConstraint, "is wrong", true)
	v.Add("", ocpp.TypeConstraint, "is wrong", false)
	v.UnderItem(1, 2)
	v.Under(1, "sampledValue")
	v.UnderItem(1, 0)
	v.Under(1, "meterValue")
	v.Under(3, "nothing")
	for _, path := range []string{"before", "meterValue[0].sampledValue[2].unit", "meterValue[0].sampledValue[2]"} {
		if _, ok := v.At(path); !ok {
			t.Errorf("nothing at %s: %v", path, v.List)
		}
	}
	if x, ok := v.At("unit"); ok {
		t.Errorf("at unit: %v", x)
	}
	if got, want := v.Err().Error(), "TypeConstraintViolation: before is wrong"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

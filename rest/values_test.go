package rest_test

import (
	"encoding/json"
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"

	"leyden"
	"leyden/rest"
)

func TestKWh(t *testing.T) {
	for wh, want := range map[leyden.WattHours]string{
		0: "0.0", 1: "0.001", 10: "0.01", 100: "0.1", 999: "0.999", 1000: "1.0", 14000: "14.0", 14250: "14.25", 14257: "14.257",
		-1500: "-1.5", 1<<53 + 1: "9007199254740.993",
	} {
		got, err := json.Marshal(rest.KWhOf(&wh))
		if err != nil || string(got) != want {
			t.Errorf("%d Wh: got %s, %v, want %s", wh, got, err, want)
		}
	}
	if got, err := json.Marshal(rest.KWhOf(nil)); err != nil || string(got) != "null" {
		t.Errorf("unknown: got %s, %v, want null", got, err)
	}
}

func TestKWhIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wh := rapid.Int64Range(-1<<62, 1<<62).Draw(t, "wh")
		text, err := json.Marshal(rest.KWhOf(new(leyden.WattHours(wh))))
		if err != nil {
			t.Fatal(err)
		}
		got, ok := new(big.Rat).SetString(string(text))
		if !ok || got.Cmp(big.NewRat(wh, 1000)) != 0 {
			t.Fatalf("%d Wh is written %s", wh, text)
		}
	})
}

func TestTime(t *testing.T) {
	cases := []struct{ in, want string }{
		{`"2022-10-27T08:52:34Z"`, `"2022-10-27T08:52:34.000Z"`},
		{`"2022-10-27t08:52:34z"`, `"2022-10-27T08:52:34.000Z"`},
		{`"2022-10-27T10:52:34.9999+02:00"`, `"2022-10-27T08:52:34.999Z"`},
		{`null`, `null`},
	}
	for _, c := range cases {
		var at rest.Time
		if err := json.Unmarshal([]byte(c.in), &at); err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if got, err := json.Marshal(at); err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{`"2022-10-27"`, `"08:52:34"`, `"2022-10-27 08:52:34Z"`, `"2022-13-27T08:52:34Z"`, `""`, `7`, `{}`} {
		var at rest.Time
		if err := json.Unmarshal([]byte(in), &at); err == nil {
			t.Errorf("%s is read as %v", in, at)
		}
	}
	zone := time.FixedZone("", -5*60*60)
	for _, at := range []time.Time{time.UnixMicro(1_666_860_754_007_999), time.UnixMilli(1_666_860_754_120).In(zone), time.Date(33, 1, 2, 3, 4, 5, 999_999_999, zone)} {
		want := at.UTC().Format(`"2006-01-02T15:04:05.000Z"`)
		if got, err := json.Marshal(rest.Time{Time: at}); err != nil || string(got) != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
	if got, err := json.Marshal(rest.Time{Time: time.Unix(0, 0)}); err != nil || string(got) != `"1970-01-01T00:00:00.000Z"` {
		t.Errorf("epoch: got %s, %v", got, err)
	}
}

func TestRepairedPlus(t *testing.T) {
	f := newFixture(t)
	for _, from := range []string{"2023-05-05T06:00:00+02:00", "2023-05-05T06:00:00%2B02:00", "2023-05-05T06:00:00%2002:00", "2023-05-05T04:00:00Z", "2023-05-05t04:00:00z", "2023-05-05T02:00:00-02:00"} {
		w := f.do("POST /t/orders/7?from="+from, `{"name":"cake"}`)
		var got struct{ From string }
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.From != "2023-05-05T04:00:00.000Z" {
			t.Errorf("from=%s: got %d %s", from, w.Code, w.Body)
		}
	}
}

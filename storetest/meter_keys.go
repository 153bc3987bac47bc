package storetest

import (
	"testing"

	"leyden"
)

func meterKeys(t *testing.T, r leyden.Registry) {
	ctx := t.Context()
	key := func(id string, connector int, serial string) leyden.MeterKey {
		return leyden.MeterKey{
			ID: id, Station: "S", Connector: connector, Serial: serial, Public: []byte("\x30\x00" + id), Curve: "secp256r1",
			Note: "nöte", AddedAt: minute(1), By: "key_1",
		}
	}
	a, b, c, d := key("a", 2, ""), key("b", 0, "2"), key("c", 0, "1"), key("d", 0, "")
	bare := leyden.MeterKey{ID: "a", Station: "T", Public: []byte{0}}
	for _, k := range []leyden.MeterKey{a, b, c, d, bare} {
		wantErr(t, "SaveMeterKey", r.SaveMeterKey(ctx, k), nil)
	}
	get := must[[]leyden.MeterKey](t)
	same(t, "MeterKeys", get(r.MeterKeys(ctx, "S")), []leyden.MeterKey{d, c, b, a})
	same(t, "MeterKeys of another", get(r.MeterKeys(ctx, "T")), []leyden.MeterKey{bare})
	same(t, "MeterKeys of nobody", get(r.MeterKeys(ctx, "s")), nil)

	b.Note, b.Public, b.AddedAt = "", []byte{1, 2}, minute(2)
	wantErr(t, "SaveMeterKey again", r.SaveMeterKey(ctx, b), nil)
	got := get(r.MeterKeys(ctx, "S"))
	same(t, "replaced", got, []leyden.MeterKey{d, c, b, a})
	got[0].Public[0] = 'x'
	same(t, "MeterKeys after a copy was changed", get(r.MeterKeys(ctx, "S"))[0], d)

	wantErr(t, "RemoveMeterKey", r.RemoveMeterKey(ctx, "S", "a"), nil)
	wantErr(t, "RemoveMeterKey again", r.RemoveMeterKey(ctx, "S", "a"), leyden.ErrNotFound)
	same(t, "MeterKeys of another after that", get(r.MeterKeys(ctx, "T")), []leyden.MeterKey{bare})
	for _, bad := range []leyden.MeterKey{{}, {ID: "x", Station: "S"}, {ID: "x", Public: []byte{0}}, {Station: "S", Public: []byte{0}}} {
		wantErr(t, "SaveMeterKey of nothing", r.SaveMeterKey(ctx, bad), leyden.ErrInvalid)
	}
	wantErr(t, "SaveMeterKey, cancelled", r.SaveMeterKey(done(ctx), a), done(ctx).Err())

	s := station("S")
	wantErr(t, "AddStation", r.AddStation(ctx, s), nil)
	s.RemovedAt = minute(5)
	wantErr(t, "SaveStation, removed", r.SaveStation(ctx, s), nil)
	same(t, "MeterKeys of a removed station", get(r.MeterKeys(ctx, "S")), []leyden.MeterKey{d, c, b})
}

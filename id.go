package leyden

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"time"
)

var base32Lower = base32.NewEncoding("234567abcdefghijklmnopqrstuvwxyz").WithPadding(base32.NoPadding)

// NewPublicID returns prefix and 26 lower-case base32 characters: a UUIDv7 (RFC
// 9562 §5.7), so that ids made later sort later within the reach of a clock.
func NewPublicID(prefix string, now time.Time) string {
	var u [16]byte
	rand.Read(u[6:]) // never fails
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli()))
	copy(u[:6], ms[2:])
	u[6] = u[6]&0x0f | 0x70
	u[8] = u[8]&0x3f | 0x80
	return prefix + base32Lower.EncodeToString(u[:])
}

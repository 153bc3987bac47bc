package main

import (
	"strconv"
	"time"

	"leyden"
)

// exact renders a time with all that the ledger keeps of it; "" when unknown.
func exact(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000Z")
}

func whText(wh *leyden.WattHours) string {
	if wh == nil {
		return ""
	}
	return strconv.FormatInt(int64(*wh), 10)
}

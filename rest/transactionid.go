package rest

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"leyden"
)

// publicPrefix begins the public id of a transaction.
const publicPrefix = "txn_"

// FindTransaction returns the transaction that a path names, by number or by
// public id. A number may have leading zeros and is decimal all the same. What
// is neither is a 400 that names the field; what is nobody's id, also a number
// that no transaction can have, is [leyden.ErrNotFound].
func FindTransaction(ctx context.Context, store leyden.Store, field, id string) (leyden.Transaction, error) {
	t, err := findTransaction(ctx, store, field, id)
	if err == nil {
		Concerns(ctx, t.Station, t.ID)
	}
	return t, err
}

func findTransaction(ctx context.Context, store leyden.Store, field, id string) (leyden.Transaction, error) {
	if isPublicID(id) {
		return store.ByPublicID(ctx, id)
	}
	if id == "" || strings.Trim(id, "0123456789") != "" {
		return leyden.Transaction{}, Invalid(field, "is neither a number nor a txn_ id")
	}
	number, err := strconv.ParseInt(id, 10, 32)
	if err != nil || number == 0 {
		return leyden.Transaction{}, fmt.Errorf("transaction %s: %w", clip(id), leyden.ErrNotFound)
	}
	return store.Transaction(ctx, leyden.TransactionID(number))
}

// isPublicID reports whether id has the form of a public id. Its text is
// opaque and URL-safe.
func isPublicID(id string) bool {
	const safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
	text, ok := strings.CutPrefix(id, publicPrefix)
	return ok && text != "" && len(text) <= 64 && strings.Trim(text, safe) == ""
}

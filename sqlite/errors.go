package sqlite

import (
	"context"
	"errors"
	"fmt"

	"zombiezen.com/go/sqlite"

	"leyden"
)

// A failure is an error of the engine, as opposed to a refusal of ours.
type failure struct{ err error }

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// failed marks an error of the engine; nil stays nil.
func failed(err error) error {
	if err == nil {
		return nil
	}
	return &failure{err}
}

func isFailure(err error) bool {
	_, ok := errors.AsType[*failure](err)
	return ok
}

// A ServedError means that another process serves from the data folder.
type ServedError struct{ Folder string }

func (e *ServedError) Error() string {
	return fmt.Sprintf("another leyden serves from %s: stop it, or name another data folder", e.Folder)
}

// isConstraint reports whether a constraint of the schema refused a row: a bug
// of ours in one entry, and no fault of the storage. What others see of it, because
// it was booked before theirs, is that storage is unavailable.
func isConstraint(err error) bool {
	if errors.Is(err, leyden.ErrUnavailable) {
		return false
	}
	code := sqlite.ErrCode(err).ToPrimary()
	return code == sqlite.ResultConstraint || code == sqlite.ResultMismatch || code == sqlite.ResultTooBig
}

// outward says to callers what an error of the engine means for them. Refusals
// pass as they are.
func outward(ctx context.Context, what string, err error) error {
	switch {
	case !isFailure(err):
		return err
	case ctx.Err() != nil && sqlite.ErrCode(err).ToPrimary() == sqlite.ResultInterrupt:
		return ctx.Err()
	case isConstraint(err):
		return fmt.Errorf("%s: %w: %w", what, leyden.ErrInvalid, err)
	case isPermanent(err), errors.Is(err, leyden.ErrUnavailable):
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %w: %w", what, leyden.ErrUnavailable, err)
}

// isPermanent reports whether trying again is no use.
func isPermanent(err error) bool {
	if errors.Is(err, leyden.ErrUnavailable) {
		return false
	}
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultCorrupt, sqlite.ResultNotADB, sqlite.ResultFormat, sqlite.ResultMisuse, sqlite.ResultError:
		return true
	}
	return false
}

package apiv1

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"leyden"
	"leyden/auth"
	"leyden/rest"
)

// A placed input names in its path what is of one charger.
type placed interface {
	// stationIn returns whose it is, or why there is no such thing.
	stationIn(ctx context.Context, a *api) (leyden.StationID, error)
	// notThere says that there is no such thing.
	notThere() error
}

func (p ChargerPath) stationIn(ctx context.Context, a *api) (leyden.StationID, error) {
	return a.stationOf(ctx, p.Ref)
}

func (p ChargerPath) notThere() error { return noCharger(p.Ref) }

func noCharger(ref string) error { return fmt.Errorf("charger %s: %w", ref, leyden.ErrNotFound) }

func (p TransactionPath) stationIn(ctx context.Context, a *api) (leyden.StationID, error) {
	t, err := a.transaction(ctx, p)
	return t.Station, err
}

func (p TransactionPath) notThere() error {
	return rest.Errorf(http.StatusNotFound, "there is no transaction %.80s", p.Ref)
}

// reachable returns f for those who reach what its input names.
func reachable[I, O any](a *api, f func(context.Context, *I) (*O, error)) func(context.Context, *I) (*O, error) {
	return func(ctx context.Context, in *I) (*O, error) {
		reach := rest.PrincipalOf(ctx).Reach
		named, ok := any(in).(placed)
		if reach == nil || !ok {
			return f(ctx, in)
		}
		id, err := named.stationIn(ctx, a)
		if err != nil {
			return nil, err
		}
		if !reach.Covers(id) {
			return nil, named.notThere()
		}
		return f(ctx, in)
	}
}

// reached returns the chargers that whoever asks may know of; nil for all.
func reached(ctx context.Context) []leyden.StationID { return rest.PrincipalOf(ctx).Reach.Within() }

// mayRegister refuses a limited credential an identity that was somebody else's,
// whose transactions it would get to see, and a site that it does not reach.
func (a *api) mayRegister(ctx context.Context, id leyden.StationID, site string) error {
	reach := rest.PrincipalOf(ctx).Reach
	if !reach.Covers(id) {
		_, err := a.Ledger.Registry().Station(ctx, id)
		if errors.Is(err, leyden.ErrNotFound) {
			var removed time.Time
			if removed, err = a.Ledger.Registry().LastRemoved(ctx, id); err == nil && removed.IsZero() {
				return mayPlace(reach, id, site)
			}
		}
		return fmt.Errorf("charger %s: %w", id, cmp.Or(err, leyden.ErrExists))
	}
	return mayPlace(reach, id, site)
}

// mayMove refuses a limited credential to take a charger to a site or from one
// that it does not reach.
func mayMove(ctx context.Context, s *leyden.Station, to string) error {
	reach := rest.PrincipalOf(ctx).Reach
	if s.Site == to {
		return nil
	}
	return cmp.Or(mayPlace(reach, s.ID, s.Site), mayPlace(reach, s.ID, to))
}

// mayPlace wants a charger to be of a site that a credential reaches, or of none
// where the credential names the charger.
func mayPlace(reach *auth.Reach, id leyden.StationID, site string) error {
	if reach.CoversSite(site) || site == "" && slices.Contains(reach.Chargers, id) {
		return nil
	}
	return rest.Errorf(http.StatusForbidden, "the credential is limited to other sites")
}

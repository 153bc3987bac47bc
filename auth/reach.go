package auth

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"leyden"
)

// MaxLimit is how many chargers, and how many sites, a [Limit] may name.
const MaxLimit = 1000

// A Limit names the chargers and the sites that a credential may reach. A
// charger that is of one of the sites is reached, and one that is named.
type Limit struct {
	Chargers []leyden.StationID `json:"chargers,omitempty"`
	Sites    []string           `json:"sites,omitempty"`
}

// check returns the limit as it is kept: each name once, in order.
func (l Limit) check() (*Limit, error) {
	chargers, sites := slices.Clone(l.Chargers), slices.Clone(l.Sites)
	for i := range sites {
		if sites[i] = strings.TrimSpace(sites[i]); !leyden.ValidSite(sites[i]) {
			return nil, &InvalidError{"limitedTo.sites", "a site must have 1 to 100 readable characters"}
		}
	}
	for _, id := range chargers {
		if !id.Valid() {
			return nil, &InvalidError{"limitedTo.chargers", fmt.Sprintf("%.48q is no identity of a charger", id)}
		}
	}
	slices.Sort(chargers)
	slices.Sort(sites)
	kept := Limit{slices.Compact(chargers), slices.Compact(sites)}
	if kept.isEmpty() {
		return nil, &InvalidError{"limitedTo", "must name a charger or a site"}
	}
	if len(kept.Chargers) > MaxLimit || len(kept.Sites) > MaxLimit {
		return nil, &InvalidError{"limitedTo", fmt.Sprintf("names more than %d chargers or sites", MaxLimit)}
	}
	return &kept, nil
}

func (l *Limit) isEmpty() bool { return len(l.Chargers)+len(l.Sites) == 0 }

// A Reach is which chargers a limited credential may reach now. The nil Reach
// is that of a credential that is not limited: it covers all.
type Reach struct {
	Chargers []leyden.StationID // those that the credential names
	Sites    []string           // those that the credential names
	all      []leyden.StationID // Chargers and the chargers of Sites, removed ones too; in order, never nil
}

// Within returns the chargers that r covers, for the field Within of a query:
// nil for all.
func (r *Reach) Within() []leyden.StationID {
	if r == nil {
		return nil
	}
	return r.all
}

// Covers reports whether r covers a charger.
func (r *Reach) Covers(id leyden.StationID) bool {
	if r == nil {
		return true
	}
	_, found := slices.BinarySearch(r.all, id)
	return found
}

// CoversSite reports whether r covers whatever is of a site.
func (r *Reach) CoversSite(site string) bool { return r == nil || slices.Contains(r.Sites, site) }

// reachOf returns what a limit covers now.
func reachOf(ctx context.Context, s StationStore, l *Limit) (*Reach, error) {
	if l == nil {
		return nil, nil
	}
	all := append([]leyden.StationID{}, l.Chargers...)
	if len(l.Sites) > 0 {
		found, err := s.StationsAt(ctx, l.Sites)
		if err != nil {
			return nil, fmt.Errorf("look up the chargers of sites: %w", err)
		}
		all = append(all, found...)
	}
	slices.Sort(all)
	return &Reach{l.Chargers, l.Sites, slices.Compact(all)}, nil
}

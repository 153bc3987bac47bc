package sqlite

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"zombiezen.com/go/sqlite"

	"leyden"
)

// An ownership is that of a station, an idTag or a vehicle: where to look, and how
// many transactions it has.
type ownership struct {
	owner
	column, index string
	has           ownerGain
}

// ownersOf returns whose transactions q wants.
func ownersOf(q *leyden.Query) []ownership {
	all := []ownership{
		{owner: owner{ownerStation, string(q.Station)}, column: `station`, index: `transactions_by_station`},
		{owner: owner{ownerToken, leyden.IDToken{Value: q.Token}.Fold()}, column: `token_fold`, index: `transactions_by_token`},
		{owner: owner{ownerVehicle, q.Vehicle}, column: `vehicle_id`, index: `transactions_by_vehicle`},
	}
	return slices.DeleteFunc(all, func(o ownership) bool { return o.name == "" })
}

// An owned list is read from the index of the owner that has the least: whole if
// that is few, to be filtered and sorted here, which SQLite takes longer for.
type owned struct {
	q      *leyden.Query
	owners []ownership // the least first
	alts   []times
	few    sizes

	all []place // what is read whole
	had bool    // all is
}

func planOwned(c *sqlite.Conn, q *leyden.Query, owners []ownership, few sizes) (list, error) {
	const query = `SELECT listed, charged FROM owner_tallies WHERE kind = ?1 AND owner = ?2`
	for i := range owners {
		o := &owners[i]
		err := each(c, query, func(b *binder) {
			b.int(o.kind)
			b.whole(o.name)
		}, func(r *row) error {
			o.has = ownerGain{r.int(), r.int()}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(owners, func(a, b ownership) int { return int(a.has.listed - b.has.listed) })
	return &owned{q: q, owners: owners, alts: timesOf(q), few: few}, nil
}

// entries returns all that the list has.
func (l *owned) entries() *selection {
	s := l.ofOwners()
	s.classTerms(l.q)
	return s
}

// ofOwners returns what the owners have at the times that the list wants.
func (l *owned) ofOwners() *selection {
	s := &selection{hint: `INDEXED BY transactions_by_station`}
	for i, o := range l.owners {
		switch {
		case i == 0:
			s.hint = `INDEXED BY ` + o.index
			s.equal(o.column, o.name)
		case l.owners[0].has.listed <= l.few.rows:
			s.equal(`+`+o.column, o.name)
		default:
			s.add(fmt.Sprintf(`id IN (SELECT id FROM transactions INDEXED BY %s WHERE %s = ?)`, o.index, o.column), text(o.name))
		}
	}
	s.ofStation("", l.within())
	s.anyOf(l.alts)
	return s
}

// isFew reports whether the list is read whole: by number an index has it in order.
func (l *owned) isFew() bool {
	return len(l.owners) > 0 && l.owners[0].has.listed <= l.few.entries && l.q.Order != leyden.ByID
}

// readAll reads a list whole, once.
func (l *owned) readAll(c *sqlite.Conn) error {
	if l.had {
		return nil
	}
	s := l.ofOwners()
	s.otherConnector(l.q)
	err := eachOnce(c, `SELECT `+placeColumns(l.q.Order)+`, class `+s.from(), s.bind, func(r *row) error {
		at := place{r.int(), r.int()}
		if inClass(l.q, class(r.int())) {
			l.all = append(l.all, at)
		}
		return nil
	})
	l.had = err == nil
	return err
}

// pageOfAll returns the numbers of q's page, of a list that was read whole.
func (l *owned) pageOfAll() (ids []int64) {
	sortPlaces(l.all, l.q.Ascending)
	first := 0
	if begin := beginOf(l.q); l.q.After != nil {
		first = sort.Search(len(l.all), func(i int) bool { return begin.before(l.all[i], l.q.Ascending) })
	}
	first = min(len(l.all), first+max(l.q.Offset, 0))
	for _, p := range l.all[first:min(int64(len(l.all)), int64(first)+limitOf(l.q))] {
		ids = append(ids, p.id)
	}
	return ids
}

// within returns the stations of which alone the list is, nil for any.
func (l *owned) within() []leyden.StationID {
	if l.q.Within != nil && l.q.Station != "" && slices.Contains(l.q.Within, l.q.Station) {
		return nil
	}
	return l.q.Within
}

// anyOf restricts s to alternatives.
func (s *selection) anyOf(alts []times) {
	if len(alts) == 0 {
		s.add(`0`)
		return
	}
	var terms []string
	for _, t := range alts {
		one := new(selection)
		one.times(t)
		if len(one.terms) == 0 {
			return
		}
		terms = append(terms, strings.Join(one.terms, ` AND `))
		s.values = append(s.values, one.values...)
	}
	s.terms = append(s.terms, `(`+strings.Join(terms, ` OR `)+`)`)
}

func (l *owned) page() string {
	s := l.selection()
	return `SELECT id ` + s.from() + ` ORDER BY ` + orderTerm(l.q) + ` LIMIT (? + 0) OFFSET ?`
}

// selection returns the list behind q's place.
func (l *owned) selection() *selection {
	s := l.entries()
	if l.q.After != nil {
		s.behind(l.q, beginOf(l.q))
	}
	// A station that has too many to sort them has them by start as well.
	if l.q.Order == leyden.ByStart && s.hint == `INDEXED BY transactions_by_station` && len(l.owners) > 0 && l.owners[0].has.listed > l.few.entries {
		s.hint = `INDEXED BY transactions_by_station_start`
	}
	return s
}

func (l *owned) numbers(c *sqlite.Conn) (ids []int64, err error) {
	if l.isFew() {
		if err := l.readAll(c); err != nil {
			return nil, err
		}
		return l.pageOfAll(), nil
	}
	run := eachOnce
	if _, plain := l.tallied(); plain {
		run = each // there are few such statements
	}
	s := l.selection()
	err = run(c, l.page(), func(b *binder) {
		s.bind(b)
		b.int(limitOf(l.q))
		b.int(int64(max(l.q.Offset, 0)))
	}, func(r *row) error {
		ids = append(ids, r.int())
		return nil
	})
	return ids, err
}

func (l *owned) total(c *sqlite.Conn) (int64, bool, error) {
	if n, ok := l.tallied(); ok {
		return n, false, nil
	}
	if l.isFew() {
		err := l.readAll(c)
		return int64(len(l.all)), false, err
	}
	s := l.entries()
	limit := ``
	if !l.exact() {
		limit = fmt.Sprintf(` LIMIT %d`, l.few.exact+1)
	}
	var n int64
	err := eachOnce(c, `SELECT count(*) FROM (SELECT 1 `+s.from()+limit+`)`, s.bind, func(r *row) error {
		n = r.int()
		return nil
	})
	if limit != `` && n > l.few.exact {
		return l.few.exact, true, err
	}
	return n, false, err
}

// tallied returns what the tallies have, if they have it.
func (l *owned) tallied() (n int64, ok bool) {
	q := l.q
	plain := len(q.Statuses) == 0 && q.Connector == 0 && q.Remote == nil && l.within() == nil
	if !plain || len(l.owners) != 1 || len(l.alts) != 1 || l.alts[0] != (times{anything(), anything(), anything()}) {
		return 0, false
	}
	if q.Charged {
		return l.owners[0].has.charged, true
	}
	return l.owners[0].has.listed, true
}

// exact reports whether the list is counted to its end however long it is: that
// of a station and a time always is.
func (l *owned) exact() bool {
	q := l.q
	return len(l.owners) > 0 && l.owners[0].has.listed <= l.few.exact ||
		len(l.owners) == 1 && q.Station != "" && len(q.Statuses) == 0 && q.Connector == 0 && q.Remote == nil
}

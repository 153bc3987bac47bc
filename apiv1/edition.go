package apiv1

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"leyden"
	"leyden/auth"
	"leyden/feed"
	"leyden/rest"
)

// tagged is a reply that shows a record with editions.
type tagged[T any] struct {
	rest.Versioned
	Body T
}

// changeTries is how often a change is made again because somebody else changed
// the record meanwhile.
const changeTries = 8

// changed reads a record, lets write change and save it, and returns it. Whoever
// named the edition that he knows changes that or nothing; for others it is read
// and changed again until nobody came between.
func changed[T any](p rest.Precondition, read func() (T, error), edition func(*T) string, write func(*T) error) (T, error) {
	var record T
	var err error
	for range changeTries {
		if record, err = read(); err != nil {
			return record, err
		}
		if err = p.Check(edition(&record)); err != nil {
			return record, err
		}
		if err = write(&record); !errors.Is(err, leyden.ErrStale) {
			return record, err
		}
	}
	return record, err
}

func chargerEdition(s *leyden.Station) string { return strconv.Itoa(s.Version) }

func tagEdition(t *leyden.Token) string { return editionSince(t.Version, t.CreatedAt) }

func vehicleEdition(v *leyden.Vehicle) string { return editionSince(v.Version, v.CreatedAt) }

func keyEdition(k *auth.KeyRecord) string { return strconv.Itoa(k.Version) }

func clientEdition(c *auth.ClientRecord) string { return strconv.Itoa(c.Version) }

func webhookEdition(w *feed.Webhook) string { return strconv.Itoa(w.Version) }

// knows refuses a change of what has another edition than the client named.
func knows[T any](p rest.Precondition, edition func(*T) string) func(T) error {
	return func(record T) error { return p.Check(edition(&record)) }
}

// editionSince tells a record from one that was there before it.
func editionSince(version int, born time.Time) string {
	return fmt.Sprintf("%d.%x", version, uint64(born.UnixMicro()))
}

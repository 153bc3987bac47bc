package memory

import (
	"context"
	"time"

	"leyden"
	"leyden/feed"
)

var _ feed.Store = (*Store)(nil)

// post keeps notices, fills in their Seq and tells who follows.
func (s *Store) post(notices []leyden.Notice) {
	for i := range notices {
		notices[i].Seq = s.lastNotice() + 1
		s.notices = append(s.notices, notices[i])
		detachAt(&s.notices[len(s.notices)-1])
	}
	if len(notices) > 0 && s.onNotices != nil {
		s.onNotices(s.lastNotice())
	}
}

func (s *Store) lastNotice() int64 { return s.forgotten + int64(len(s.notices)) }

// Notices implements [feed.Store].
func (s *Store) Notices(ctx context.Context, q feed.Query) (feed.Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return feed.Page{}, err
	}
	var err error
	if q.After, err = feed.Begin(q.After, s.forgotten+1, s.lastNotice()); err != nil {
		return feed.Page{}, err
	}
	found := feed.NewCollector(q)
	for i := q.After - s.forgotten; i < int64(len(s.notices)) && !found.Full(); i++ {
		if found.Look(s.notices[i]) {
			*found.Newest() = detach(s.notices[i])
		}
	}
	return found.Page(s.lastNotice()), nil
}

// NoticeBounds implements [feed.Store].
func (s *Store) NoticeBounds(ctx context.Context) (oldest, last int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forgotten + 1, s.lastNotice(), ctx.Err()
}

// ForgetNotices implements [feed.Store].
func (s *Store) ForgetNotices(ctx context.Context, before time.Time, keepAfter int64, limit int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	n := 0
	for n < min(limit, len(s.notices)) && s.notices[n].At.Before(before) && s.notices[n].Seq <= keepAfter {
		n++
	}
	clear(s.notices[:n])
	s.notices = s.notices[n:]
	s.forgotten += int64(n)
	return n, nil
}

// OnNotices implements [feed.Store].
func (s *Store) OnNotices(f func(last int64)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onNotices = f
}

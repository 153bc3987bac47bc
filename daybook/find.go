package daybook

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// find reads what is in the folder when the book is opened. Nothing is changed
// before it is known that all is well.
func (b *Book) find(names []string, after uint64) error {
	var all, others []segment
	for _, name := range names {
		if serial, ok := serialOf(name); ok {
			all = append(all, segment{name: name, serial: serial})
		}
		if strings.HasPrefix(name, newPrefix) {
			others = append(others, segment{name: name})
		}
	}
	slices.SortFunc(all, func(x, y segment) int { return cmp.Compare(x.serial, y.serial) })
	if len(all) > 0 {
		b.serial = all[len(all)-1].serial
	}
	needed, err := b.needed(all, after)
	if err != nil {
		return err
	}
	if err := b.load(needed, after); err != nil {
		return err
	}
	if b.file == nil {
		needed = nil
	}
	for _, s := range all[:len(all)-len(needed)] {
		if s.size, err = b.sizeOf(s.name); err != nil {
			return err
		}
		b.spare = append(b.spare, s)
	}
	return errors.Join(b.remove(append(others, b.surplus()...)), b.disk.Sync())
}

// needed returns the last segments, beginning with that of the record after a
// number.
func (b *Book) needed(all []segment, after uint64) ([]segment, error) {
	i := len(all)
	for i > 0 && (i == len(all) || all[i].first > after+1) {
		i--
		s, err := b.headerOf(all[i].name)
		if err != nil {
			return nil, err
		}
		last := i == len(all)-1
		switch {
		case s.serial != all[i].serial && last:
			return nil, damage(s.name, 0, "its header is that of "+nameOf(s.serial))
		case s.serial != all[i].serial:
			return nil, fmt.Errorf("%w: %d to %d: %s is in use for others", ErrMissing, after+1, all[i+1].first-1, s.name)
		case !last && s.first > all[i+1].first:
			return nil, damage(s.name, 0, fmt.Sprintf("it begins with record %d, and the next file with %d", s.first, all[i+1].first))
		case !last:
			s.last = all[i+1].first - 1
		}
		all[i] = s
	}
	if i < len(all) && all[i].first > after+1 {
		return nil, fmt.Errorf("%w: %d to %d: %s is the oldest file", ErrMissing, after+1, all[i].first-1, all[i].name)
	}
	return all[i:], nil
}

func (b *Book) headerOf(name string) (segment, error) {
	f, err := b.disk.Open(name)
	if err != nil {
		return segment{}, err
	}
	s, err := readSegment(f, name)
	return s, cmp.Or(err, f.Close())
}

func (b *Book) sizeOf(name string) (int64, error) {
	f, err := b.disk.Open(name)
	if err != nil {
		return 0, err
	}
	size, err := f.Size()
	return size, cmp.Or(err, f.Close())
}

// load reads all records of the segments, and goes on in the last one.
func (b *Book) load(needed []segment, after uint64) error {
	if len(needed) == 0 {
		return nil
	}
	old, s := needed[:len(needed)-1], needed[len(needed)-1]
	for _, s := range old {
		if err := b.replay(s, s.last, nil); err != nil {
			return err
		}
	}
	f, err := b.disk.Open(s.name)
	if err != nil {
		return err
	}
	r, err := end(f, s)
	if err != nil || r.next <= after {
		// What the caller has is later than all that is here: it lies in old files.
		return cmp.Or(err, f.Close())
	}
	b.file, b.active, b.old = f, s, old
	b.next, b.end = r.next, r.at
	return b.firm(r.last)
}

// end reads the last segment, up to where the book ends.
func end(f File, s segment) (*reader, error) {
	r := newReader(f, s)
	for {
		_, err := r.record()
		if errors.Is(err, errEnd) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	place, err := later(f, s, r.at, r.next)
	if err == nil && place > 0 {
		err = damage(s.name, r.at, fmt.Sprintf("record %d does not check out, but there is a later one at byte %d", r.next, place))
	}
	return r, err
}

// firm makes true for good what was found: the last record may stand in the
// system's memory alone, after a sync that failed, and so may the void behind it.
// Writing them again makes the sync mean something.
func (b *Book) firm(last int64) error {
	if last > 0 {
		record := make([]byte, b.end-last)
		if _, err := b.file.ReadAt(record, last); err != nil {
			return err
		}
		if _, err := b.file.WriteAt(record, last); err != nil {
			return err
		}
	}
	if _, err := b.file.WriteAt(make([]byte, min(recordHeader, b.active.size-b.end)), b.end); err != nil {
		return err
	}
	return b.file.Sync()
}

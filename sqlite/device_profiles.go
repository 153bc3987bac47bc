package sqlite

import (
	"context"
	"time"

	"zombiezen.com/go/sqlite"

	"leyden"
	"leyden/device"
)

// whole returns t as drivers keep times.
func whole(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// profileText returns a profile as it is kept.
func profileText(p device.ChargingProfile) (text string, err error) {
	p.ValidFrom, p.ValidTo, p.Schedule.StartAt = whole(p.ValidFrom), whole(p.ValidTo), whole(p.Schedule.StartAt)
	err = toJSON(&text, p)
	return text, err
}

// InstallProfile implements [device.ProfileStore].
func (db *DB) InstallProfile(ctx context.Context, p device.InstalledProfile) error {
	const install = `
INSERT OR REPLACE INTO charging_profiles (station, id, connector, purpose, stack_level, profile, by, installed_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)`
	if err := p.Check(); err != nil {
		return err
	}
	text, err := profileText(p.Profile)
	if err != nil {
		return err
	}
	return db.write(ctx, "install profile", func(t *tx) error {
		return exec(t.c, install, func(b *binder) {
			b.text(string(p.Station))
			b.int(int64(p.Profile.ID))
			b.int(int64(p.Connector))
			b.text(p.Profile.Purpose)
			b.int(int64(p.Profile.StackLevel))
			b.text(text)
			b.text(p.By)
			b.time(p.InstalledAt)
		})
	})
}

// clearProfiles looks at all profiles of a station, which has few.
const clearProfiles = `
DELETE FROM charging_profiles
WHERE station = ?1 AND (?2 IS NULL OR id = ?2) AND (?3 IS NULL OR connector = ?3)
  AND (?4 IS NULL OR purpose = ?4) AND (?5 IS NULL OR stack_level = ?5)`

// ClearProfiles implements [device.ProfileStore].
func (db *DB) ClearProfiles(ctx context.Context, s leyden.StationID, f device.ProfileFilter) error {
	if f.ID != nil {
		f = device.ProfileFilter{ID: f.ID}
	}
	return db.write(ctx, "clear profiles", func(t *tx) error {
		return exec(t.c, clearProfiles, func(b *binder) {
			b.text(string(s))
			b.optInt(f.ID)
			b.optInt(f.Connector)
			b.text(f.Purpose)
			b.optInt(f.StackLevel)
		})
	})
}

const installedProfiles = `
SELECT station, connector, profile, by, installed_at FROM charging_profiles
WHERE station = ?1 ORDER BY connector, purpose, stack_level`

// InstalledProfiles implements [device.ProfileStore].
func (db *DB) InstalledProfiles(ctx context.Context, s leyden.StationID) (list []device.InstalledProfile, err error) {
	err = db.read(ctx, "installed profiles", func(c *sqlite.Conn) error {
		return each(c, installedProfiles, func(b *binder) { b.text(string(s)) }, func(r *row) error {
			p := device.InstalledProfile{Station: leyden.StationID(r.text()), Connector: int(r.int())}
			err := fromJSON(r.text(), &p.Profile)
			p.By, p.InstalledAt = r.text(), r.time()
			list = append(list, p)
			return err
		})
	})
	return list, err
}

// SaveTemplate implements [device.ProfileStore].
func (db *DB) SaveTemplate(ctx context.Context, p device.ProfileTemplate) error {
	const save = `
INSERT INTO profile_templates (id, name, profile, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (id) DO UPDATE SET name = ?2, profile = ?3, created_at = ?4, updated_at = ?5`
	if err := p.Check(); err != nil {
		return err
	}
	text, err := profileText(p.Profile)
	if err != nil {
		return err
	}
	return db.write(ctx, "save profile template", func(t *tx) error {
		return exec(t.c, save, func(b *binder) {
			b.text(p.ID)
			b.text(p.Name)
			b.text(text)
			b.time(p.CreatedAt)
			b.time(p.UpdatedAt)
		})
	})
}

// RemoveTemplate implements [device.ProfileStore].
func (db *DB) RemoveTemplate(ctx context.Context, id string) error {
	const remove = `DELETE FROM profile_templates WHERE id = ?1`
	return db.write(ctx, "remove profile template", func(t *tx) error {
		err := exec(t.c, remove, func(b *binder) { b.text(id) })
		if err == nil && t.c.Changes() == 0 {
			return leyden.ErrNotFound
		}
		return err
	})
}

const templateColumns = `SELECT id, name, profile, created_at, updated_at FROM profile_templates `

func (r *row) template(p *device.ProfileTemplate) error {
	p.ID, p.Name = r.text(), r.text()
	err := fromJSON(r.text(), &p.Profile)
	p.CreatedAt, p.UpdatedAt = r.time(), r.time()
	return err
}

// Template implements [device.ProfileStore].
func (db *DB) Template(ctx context.Context, id string) (p device.ProfileTemplate, err error) {
	const query = templateColumns + `WHERE id = ?1`
	err = db.read(ctx, "profile template", func(c *sqlite.Conn) error {
		return one(c, query, func(b *binder) { b.text(id) }, func(r *row) error { return r.template(&p) })
	})
	return p, err
}

const templateList = templateColumns + `WHERE (created_at, id) > (?3, ?4) ORDER BY created_at, id LIMIT (?1 + 0) OFFSET ?2`

// Templates implements [device.ProfileStore].
func (db *DB) Templates(ctx context.Context, part device.Page) (list []device.ProfileTemplate, total int, err error) {
	const all = `SELECT count(*) FROM profile_templates`
	after := valueOr(part.After)
	err = db.readLong(ctx, "profile templates", func(c *sqlite.Conn) error {
		n, err := number(c, all, nil)
		if err != nil {
			return err
		}
		total = int(n)
		return each(c, templateList, func(b *binder) {
			b.part(part)
			b.int(after.At.UnixMicro())
			b.whole(after.Name)
		}, func(r *row) error {
			list = append(list, device.ProfileTemplate{})
			return r.template(&list[len(list)-1])
		})
	})
	return list, total, err
}

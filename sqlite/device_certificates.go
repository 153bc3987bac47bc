package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"leyden"
	"leyden/device"
)

const certificateColumns = `
SELECT id, station, status, request, chain, serial, not_before, not_after, reason, by, requested_at, updated_at `

func (r *row) certificate() device.Certificate {
	return device.Certificate{
		ID: r.text(), Station: leyden.StationID(r.text()), Status: device.CertificateStatus(r.text()), Request: r.text(),
		Chain: r.text(), Serial: r.text(), NotBefore: r.time(), NotAfter: r.time(), Reason: r.text(), By: r.text(),
		RequestedAt: r.time(), UpdatedAt: r.time(),
	}
}

const forgetCertificate = `
DELETE FROM certificates
WHERE seq = (SELECT seq FROM certificates WHERE station = ?1 ORDER BY requested_at, seq LIMIT 1)`

// SaveCertificate implements [device.CertificateStore].
func (db *DB) SaveCertificate(ctx context.Context, n device.Certificate) error {
	const (
		owner = `SELECT station FROM certificates WHERE id = ?1`
		save  = `
INSERT INTO certificates (id, station, status, request, chain, serial, not_before, not_after, reason, by, requested_at, updated_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
ON CONFLICT (id) DO UPDATE SET status = ?3, request = ?4, chain = ?5, serial = ?6, not_before = ?7, not_after = ?8,
  reason = ?9, by = ?10, requested_at = ?11, updated_at = ?12`
	)
	if err := n.Check(); err != nil {
		return err
	}
	return db.write(ctx, "save certificate", func(t *tx) error {
		there, err := ownedBy(t.c, owner, n.ID, n.Station)
		if err != nil {
			return err
		}
		err = exec(t.c, save, func(b *binder) {
			for _, text := range []string{n.ID, string(n.Station), string(n.Status), n.Request, n.Chain, n.Serial} {
				b.text(text)
			}
			b.time(n.NotBefore)
			b.time(n.NotAfter)
			b.text(n.Reason)
			b.text(n.By)
			b.time(n.RequestedAt)
			b.time(n.UpdatedAt)
		})
		if err != nil || there {
			return err
		}
		return share{what: `certificates`, max: device.MaxCertificates, forget: forgetCertificate}.add(t.c, n.Station, "")
	})
}

// Certificate implements [device.CertificateStore].
func (db *DB) Certificate(ctx context.Context, id string) (n device.Certificate, err error) {
	const query = certificateColumns + `FROM certificates WHERE id = ?1`
	err = db.read(ctx, "certificate", func(c *sqlite.Conn) error {
		return one(c, query, func(b *binder) { b.text(id) }, func(r *row) error {
			n = r.certificate()
			return nil
		})
	})
	return n, err
}

// Certificates implements [device.CertificateStore].
func (db *DB) Certificates(ctx context.Context, q device.CertificateQuery) (list []device.Certificate, total int, err error) {
	err = db.readLong(ctx, "certificates", func(c *sqlite.Conn) (err error) {
		total, err = certificateList(&q).read(c, q.Page, func(r *row) { list = append(list, r.certificate()) })
		return err
	})
	return list, total, err
}

// behindCertificate goes by the time alone when the certificate of the place is
// forgotten.
func behindCertificate(s *selection, after leyden.Cursor) {
	s.add(`(requested_at, seq) < (?, ifnull((SELECT seq FROM certificates WHERE id = ?), 0))`, at(after.At), text(after.Name))
}

// certificateList returns the question for what q selects.
func certificateList(q *device.CertificateQuery) *deviceList {
	l := &deviceList{columns: certificateColumns, order: `requested_at DESC, seq DESC`}
	l.table, l.behind = `certificates`, behindCertificate
	if q.Station != "" {
		l.hint = `INDEXED BY certificates_by_station`
	}
	l.ofStation(q.Station, q.Within)
	l.equal(`status`, string(q.Status))
	return l
}

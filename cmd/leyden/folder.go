package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"leyden"
	"leyden/auth"
	"leyden/calls"
	"leyden/daily"
	"leyden/device"
	"leyden/feed"
	"leyden/memory"
	"leyden/pki"
	"leyden/sqlite"
)

// A store is where a node keeps everything.
type store interface {
	leyden.Store
	leyden.Registry
	auth.Store
	calls.Store
	daily.Store
	device.Store
	feed.Store
	feed.WebhookStore
}

// A folder is an opened data folder: the ledger, and who may do what. One that is
// only in memory is like it, as long as the process runs.
type folder struct {
	store
	disk      *sqlite.DB // the same store; nil: it is in memory
	registrar *auth.Registrar
	config    auth.Config
	journal   *sqlite.Journal // nil: none is kept, or it is not open
}

// openFolder opens the data folder of a command that works beside a server. It
// must hold a ledger: to make one by a mistyped name would be worse than to fail.
func openFolder(ctx context.Context, path string) (*folder, error) {
	if err := findLedger(path); err != nil {
		return nil, err
	}
	return open(ctx, path, false)
}

// findLedger says what to do when there is no ledger in a folder.
func findLedger(path string) error {
	info, err := os.Stat(filepath.Join(path, sqlite.FileName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("data folder: %w; name another with --data", err)
	}
	if err != nil || info.Size() == 0 {
		return fmt.Errorf("there is no ledger in %s; `leyden serve --data %s` makes one, or name another folder with --data", path, path)
	}
	return nil
}

// open opens a data folder, for serving or beside a server.
func open(ctx context.Context, path string, serve bool) (*folder, error) {
	f, err := openParts(ctx, path, serve)
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, fmt.Errorf("data folder %s cannot be used: %w; name another with --data", path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("data folder %s: %w", path, err)
	}
	return f, nil
}

// openParts opens the ledger and the key material. In a new folder the key
// material is made first, so that a ledger without it has lost it: to make
// another would void all credentials without a word.
func openParts(ctx context.Context, path string, serve bool) (*folder, error) {
	old, err := exists(filepath.Join(path, sqlite.FileName))
	if err != nil {
		return nil, err
	}
	if !old {
		if _, err := auth.LoadSecrets(path); err != nil {
			return nil, err
		}
	}
	db, err := sqlite.Open(ctx, sqlite.Options{Path: path, Now: time.Now, Serve: serve})
	if err != nil {
		return nil, err
	}
	there, err := exists(filepath.Join(path, auth.SecretsFile))
	if err == nil && !there {
		err = fmt.Errorf("%s is missing, without which no key and no password is recognised; restore it from a backup", auth.SecretsFile)
	}
	if err != nil {
		return nil, closing(err, db)
	}
	secrets, err := auth.LoadSecrets(path)
	if err != nil {
		return nil, closing(err, db)
	}
	config := auth.Config{Store: db, Secrets: secrets, Issuer: "leyden", Now: time.Now, Log: slog.Default()}
	return &folder{store: db, disk: db, registrar: auth.NewRegistrar(config), config: config}, nil
}

// inMemory returns a folder that is none: it begins empty, and is gone at the end.
func inMemory() *folder {
	db := memory.New(time.Now)
	config := auth.Config{Store: db, Secrets: auth.NewSecrets(), Issuer: "leyden", Now: time.Now, Log: slog.Default()}
	return &folder{store: db, registrar: auth.NewRegistrar(config), config: config}
}

// Ready says what keeps the ledger from being written.
func (f *folder) Ready(ctx context.Context) error {
	if f.disk == nil {
		return nil
	}
	return f.disk.Ready(ctx)
}

// broken returns a channel that is closed when the disk has failed; nil: there is
// none that could.
func (f *folder) broken() <-chan struct{} {
	if f.disk == nil {
		return nil
	}
	return f.disk.Broken()
}

// sinceTimeout is how long a signature waits to know from when it counts.
const sinceTimeout = 10 * time.Second

// certificatesSince returns from when certificates of a station count.
func (f *folder) certificatesSince(id leyden.StationID) (time.Time, error) {
	ctx, cancel := context.WithTimeout(context.Background(), sinceTimeout)
	defer cancel()
	return f.registrar.CertificatesSince(ctx, id)
}

// since asks the ledger of a folder, if there is one, from when certificates of a
// station count.
func since(ctx context.Context, path string) pki.Since {
	return func(id leyden.StationID) (at time.Time, err error) {
		there, err := exists(filepath.Join(path, sqlite.FileName))
		if err != nil || !there {
			return time.Time{}, err
		}
		db, err := openFolder(ctx, path)
		if err != nil {
			return time.Time{}, err
		}
		defer func() { err = closing(err, db) }()
		return db.certificatesSince(id)
	}
}

func exists(file string) (bool, error) {
	_, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// dataFlag adds --data to a command that opens a data folder directly.
func dataFlag(cmd *cobra.Command) *string {
	return cmd.PersistentFlags().String("data", "./data", "data folder of the server")
}

// inFolder makes the action of a subcommand that works in a data folder. What
// changes something there is in the audit log when the command ends.
func inFolder(data *string, f func(*cobra.Command, *folder, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) (err error) {
		if err := loadSettings(cmd.Flags(), lookupEnv); err != nil {
			return err
		}
		db, err := openFolder(cmd.Context(), *data)
		if err != nil {
			return err
		}
		defer func() { err = closing(err, db) }()
		return db.recorded(cmd, args, f(cmd, db, args))
	}
}

// closing closes c and returns its error beside err.
func closing(err error, c io.Closer) error {
	if cerr := c.Close(); cerr != nil {
		return errors.Join(err, cerr)
	}
	return err
}

// allStations returns the stations of a registry, or of one site, however many
// there are.
func allStations(ctx context.Context, r leyden.Registry, site string) ([]leyden.Station, error) {
	var all []leyden.Station
	for {
		page, total, err := r.Stations(ctx, leyden.StationQuery{Site: site, Offset: len(all)})
		all = append(all, page...)
		if err != nil || len(page) == 0 || len(all) >= total {
			return all, err
		}
	}
}

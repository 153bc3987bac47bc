package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"leyden/auth"
	"leyden/sqlite"
)

// A folder is an opened data folder: the ledger, and who may do what.
type folder struct {
	*sqlite.DB
	registrar *auth.Registrar
	config    auth.Config
}

// openFolder opens the data folder of a command that works beside a server.
// The folder must be there.
func openFolder(ctx context.Context, path string) (*folder, error) {
	if _, err := os.Stat(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no data folder %s; `leyden serve --data %s` makes one, or name another with --data", path, path)
		}
		return nil, fmt.Errorf("data folder: %w", err)
	}
	return open(ctx, path, false)
}

// open opens a data folder, for serving or beside a server.
func open(ctx context.Context, path string, serve bool) (*folder, error) {
	db, err := sqlite.Open(ctx, sqlite.Options{Path: path, Now: time.Now, Serve: serve})
	if err != nil {
		return nil, fmt.Errorf("data folder %s: %w", path, err)
	}
	secrets, err := auth.LoadSecrets(path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("data folder %s: %w", path, err), db.Close())
	}
	config := auth.Config{Store: db, Secrets: secrets, Issuer: "leyden", Now: time.Now, Log: slog.Default()}
	return &folder{DB: db, registrar: auth.NewRegistrar(config), config: config}, nil
}

// dataFlag adds --data to a command that opens a data folder directly.
func dataFlag(cmd *cobra.Command) *string {
	return cmd.PersistentFlags().String("data", "./data", "data folder of the server")
}

// inFolder makes the action of a subcommand that works in a data folder.
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
		return f(cmd, db, args)
	}
}

// closing closes c and returns its error beside err.
func closing(err error, c io.Closer) error {
	if cerr := c.Close(); cerr != nil {
		return errors.Join(err, cerr)
	}
	return err
}

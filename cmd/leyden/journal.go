package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"leyden"
	"leyden/sqlite"
)

// journalSettings say how much of what stations say is kept for a while.
type journalSettings struct {
	age  time.Duration
	size byteSize
}

func (s *journalSettings) flags(f *pflag.FlagSet) {
	limits := leyden.JournalLimits{}.OrDefaults()
	s.size = byteSize(limits.MaxBytes)
	f.DurationVar(&s.age, "journal-age", limits.MaxAge, "how long messages of stations are kept in the journal")
	f.Var(&s.size, "journal-size", "how large the journal may grow; 0 keeps none")
}

const minJournal = 1 << 20

func (s *journalSettings) check() error {
	switch {
	case s.age < time.Minute:
		return usagef("--journal-age must be at least 1m; --journal-size 0 keeps no journal")
	case s.size != 0 && s.size < minJournal:
		return usagef("--journal-size must be at least 1MiB, or 0 for no journal")
	}
	return nil
}

// open opens the journal in a data folder. It returns nil when none is to be kept.
func (s *journalSettings) open(ctx context.Context, data string, log *slog.Logger) *sqlite.Journal {
	if s.size == 0 {
		return nil
	}
	return sqlite.OpenJournal(ctx, sqlite.JournalOptions{
		Folder: data, Log: log, Limits: leyden.JournalLimits{MaxAge: s.age, MaxBytes: int64(s.size)},
	})
}

// frames returns the journal beside the ledger, or nil when none is kept.
func (f *folder) frames() leyden.Journal {
	if f.journal == nil {
		return nil
	}
	return f.journal
}

// journalSize returns how many bytes the journal takes.
func (f *folder) journalSize() float64 {
	if f.journal == nil {
		return 0
	}
	return float64(f.journal.Size())
}

// Close closes the ledger and the journal.
func (f *folder) Close() error {
	if f.journal != nil {
		if err := f.journal.Close(); err != nil { // no reason to fail: it is no part of the ledger
			f.config.Log.Warn("journal did not close", "err", err)
		}
	}
	if f.disk == nil {
		return nil
	}
	return f.disk.Close()
}

// A byteSize is a number of bytes, as a flag: 512MiB.
type byteSize int64

// byteUnits are the units of sizes, the largest first where one ends in another.
var byteUnits = [...]struct {
	name  string
	bytes int64
}{
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}, {"", 1},
}

// String implements [pflag.Value].
func (b *byteSize) String() string {
	for _, u := range byteUnits {
		if n := int64(*b); n != 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return "0"
}

// Type implements [pflag.Value].
func (b *byteSize) Type() string { return "size" }

var errSize = errors.New("no size: write a whole number and B, kB, MB, GB, KiB, MiB or GiB")

// Set implements [pflag.Value].
func (b *byteSize) Set(text string) error {
	for _, u := range byteUnits {
		number, found := strings.CutSuffix(text, u.name)
		if !found {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/u.bytes {
			return fmt.Errorf("%q is %w", text, errSize)
		}
		*b = byteSize(n * u.bytes)
		return nil
	}
	return fmt.Errorf("%q is %w", text, errSize)
}

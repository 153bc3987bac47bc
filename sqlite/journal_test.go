package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"leyden"
)

// openJournal opens a journal that is closed at the end of the test.
func openJournal(t *testing.T, opt JournalOptions) *Journal {
	t.Helper()
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	j := OpenJournal(t.Context(), opt)
	t.Cleanup(func() {
		if err := j.Close(); err != nil && !errors.Is(err, errClosed) {
			t.Errorf("Close: %v", err)
		}
	})
	return j
}

func closeJournal(t *testing.T, j *Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

// testFrames returns n frames with texts of size bytes.
func testFrames(n, size int) []leyden.Frame {
	frames := make([]leyden.Frame, n)
	for i := range frames {
		frames[i] = leyden.Frame{
			Station: leyden.StationID(fmt.Sprint("CP-", i%50)), At: time.Now(), Type: leyden.FrameCall, MessageID: fmt.Sprint(i),
			Action: "MeterValues", Transaction: leyden.TransactionID(i % 20), Text: strings.Repeat("x", size),
		}
	}
	return frames
}

func mustWrite(t *testing.T, j *Journal, frames []leyden.Frame) {
	t.Helper()
	if err := j.WriteFrames(t.Context(), frames); err != nil {
		t.Fatalf("WriteFrames: %v", err)
	}
}

func mustFrames(t *testing.T, j *Journal, q leyden.FrameQuery) []leyden.Frame {
	t.Helper()
	frames, err := j.Frames(t.Context(), q)
	if err != nil {
		t.Fatalf("Frames: %v", err)
	}
	return frames
}

func fileSize(t *testing.T, name string) int64 {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestJournalFileIsBounded writes five times what the file may hold, in frames of
// all sizes.
func TestJournalFileIsBounded(t *testing.T) {
	const limit = 4 << 20
	folder := t.TempDir()
	j := openJournal(t, JournalOptions{Folder: folder, Limits: leyden.JournalLimits{MaxBytes: limit}})
	for written, n := 0, 0; written < 5*limit; n++ {
		size := []int{0, 150, 700, 3900, 4100, 60_000, 1 << 20}[n%7]
		frames := testFrames(min(300, 1+2<<20/(size+1)), size)
		mustWrite(t, j, frames)
		written += len(frames) * size
		if got := fileSize(t, j.file); got > limit {
			t.Fatalf("the file has %d bytes, more than %d, after %d", got, limit, written)
		}
		if log := fileSize(t, j.file+"-wal"); log > 16<<20 {
			t.Fatalf("the log has %d bytes", log)
		}
		if j.Size() > limit || j.Size() < pageSize {
			t.Fatalf("Size is %d", j.Size())
		}
	}
	closeJournal(t, j)

	// A lower limit gives the rest back.
	const lower = 1 << 20
	j = openJournal(t, JournalOptions{Folder: folder, Limits: leyden.JournalLimits{MaxBytes: lower}})
	for range 3 {
		mustWrite(t, j, testFrames(10, 500))
	}
	newest := mustFrames(t, j, leyden.FrameQuery{Limit: 1})
	closeJournal(t, j)
	if got := fileSize(t, j.file); got > lower || len(newest) != 1 {
		t.Errorf("the file has %d bytes, more than %d; %d frames", got, lower, len(newest))
	}
}

func TestJournalGoesOn(t *testing.T) {
	folder := t.TempDir()
	j := openJournal(t, JournalOptions{Folder: folder})
	first := testFrames(3, 10)
	mustWrite(t, j, first)
	closeJournal(t, j)
	if err := j.WriteFrames(t.Context(), first); !errors.Is(err, leyden.ErrUnavailable) {
		t.Errorf("WriteFrames after Close: %v", err)
	}
	j = openJournal(t, JournalOptions{Folder: folder})
	second := testFrames(1, 10)
	mustWrite(t, j, second)
	if got := mustFrames(t, j, leyden.FrameQuery{}); len(got) != 4 || got[0].Seq != second[0].Seq || second[0].Seq <= first[2].Seq {
		t.Errorf("%d frames; Seq %d after %d", len(got), second[0].Seq, first[2].Seq)
	}
}

// TestJournalBegunAnew: a damaged file costs what was in it, and nothing else.
func TestJournalBegunAnew(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, file string){
		"garbage": func(t *testing.T, file string) {
			if err := os.WriteFile(file, bytes.Repeat([]byte("garbage "), 5000), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"pages": spoil,
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			j := openJournal(t, JournalOptions{Folder: folder})
			before := testFrames(1000, 500)
			mustWrite(t, j, before)
			closeJournal(t, j)
			damage(t, j.file)

			var log bytes.Buffer
			j = openJournal(t, JournalOptions{Folder: folder, Log: slog.New(slog.NewTextHandler(&log, nil))})
			beside := openJournal(t, JournalOptions{Folder: folder, ReadOnly: true})
			_, _ = beside.Frames(t.Context(), leyden.FrameQuery{}) // may find damage
			after := testFrames(2, 10)
			mustWrite(t, j, after)
			for _, reader := range []*Journal{j, beside} {
				got := mustFrames(t, reader, leyden.FrameQuery{After: before[999].Seq, Ascending: true})
				if len(got) != 2 || got[1].Seq != after[1].Seq {
					t.Errorf("%d frames after the damage; want 2 above %d", len(got), before[999].Seq)
				}
			}
			if !strings.Contains(log.String(), "journal is damaged and begins anew") {
				t.Errorf("the log says %q", log.String())
			}
		})
	}
}

// TestJournalReaderMeetsDamage: the next write begins anew.
func TestJournalReaderMeetsDamage(t *testing.T) {
	folder := t.TempDir()
	j := openJournal(t, JournalOptions{Folder: folder})
	mustWrite(t, j, testFrames(500, 2000))
	closeJournal(t, j)
	j = openJournal(t, JournalOptions{Folder: folder})
	spoil(t, j.file)
	if _, err := j.Frames(t.Context(), leyden.FrameQuery{Station: "CP-1"}); err == nil || errors.Is(err, leyden.ErrUnavailable) {
		t.Errorf("Frames of a damaged file: %v", err)
	}
	mustWrite(t, j, testFrames(1, 10))
	if got := mustFrames(t, j, leyden.FrameQuery{}); len(got) != 1 {
		t.Errorf("%d frames; want 1", len(got))
	}
}

// TestJournalIsNotOurs: a file that we must not touch stays, and we go without.
func TestJournalIsNotOurs(t *testing.T) {
	for name, script := range map[string]string{
		"of another program": `CREATE TABLE t (x); INSERT INTO t VALUES (7);`,
		"newer":              `PRAGMA user_version = 99; PRAGMA application_id = 1281718634; CREATE TABLE t (x);`,
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			file := filepath.Join(folder, JournalName)
			c, err := sqlite.OpenConn(file, sqlite.OpenReadWrite, sqlite.OpenCreate)
			if err == nil {
				err = errors.Join(sqlitex.ExecuteScript(c, script, nil), c.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
			before := fileSize(t, file)
			j := openJournal(t, JournalOptions{Folder: folder})
			if err := j.WriteFrames(t.Context(), testFrames(1, 10)); err == nil {
				t.Error("WriteFrames wrote")
			}
			if _, err := j.Frames(t.Context(), leyden.FrameQuery{}); err == nil {
				t.Error("Frames read")
			}
			if after := fileSize(t, file); after < before {
				t.Errorf("the file has %d bytes; it had %d", after, before)
			}
		})
	}
}

// TestJournalOutOfReach: a journal that cannot be opened is tried again after a
// while.
func TestJournalOutOfReach(t *testing.T) {
	folder, now := t.TempDir(), time.Now()
	obstacle := filepath.Join(folder, JournalName)
	if err := os.Mkdir(obstacle, 0o700); err != nil {
		t.Fatal(err)
	}
	j := openJournal(t, JournalOptions{Folder: folder, Now: func() time.Time { return now }})
	wantErr := func(what string) {
		t.Helper()
		if err := j.WriteFrames(t.Context(), testFrames(1, 10)); err == nil || !strings.Contains(err.Error(), obstacle) {
			t.Errorf("WriteFrames %s: %v", what, err)
		}
	}
	wantErr("into a folder")
	if err := os.Remove(obstacle); err != nil {
		t.Fatal(err)
	}
	wantErr("at once")
	now = now.Add(journalPause)
	mustWrite(t, j, testFrames(1, 10))
}

func TestJournalReadOnly(t *testing.T) {
	folder := t.TempDir()
	beside := openJournal(t, JournalOptions{Folder: folder, ReadOnly: true})
	if got := mustFrames(t, beside, leyden.FrameQuery{}); len(got) != 0 {
		t.Errorf("%d frames before there is a journal", len(got))
	}
	if _, err := os.Stat(beside.file); err == nil {
		t.Error("a reader made the file")
	}
	if err := beside.WriteFrames(t.Context(), testFrames(1, 1)); !errors.Is(err, leyden.ErrInvalid) {
		t.Errorf("WriteFrames of a reader: %v", err)
	}
	j := openJournal(t, JournalOptions{Folder: folder})
	mustWrite(t, j, testFrames(5, 10))
	if got := mustFrames(t, beside, leyden.FrameQuery{}); len(got) != 5 {
		t.Errorf("%d frames beside the writer; want 5", len(got))
	}
	if mode := func() os.FileMode { info, _ := os.Stat(j.file); return info.Mode().Perm() }(); mode&0o077 != 0 {
		t.Errorf("the file has mode %v", mode)
	}
}

// TestJournalWithoutTables: a file in which its writer could not make the tables,
// with a full disk say, is an empty journal for as long as that lasts.
func TestJournalWithoutTables(t *testing.T) {
	folder := t.TempDir()
	c, err := sqlite.OpenConn(filepath.Join(folder, JournalName), sqlite.OpenReadWrite, sqlite.OpenCreate)
	if err == nil {
		err = sqlitex.ExecuteTransient(c, `PRAGMA journal_mode = WAL`, nil)
	}
	if err == nil {
		err = c.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	j := openJournal(t, JournalOptions{Folder: folder, ReadOnly: true})
	j.opt.ReadOnly = false // as a server's reader it keeps its connection
	for range 2 {
		if got := mustFrames(t, j, leyden.FrameQuery{}); len(got) != 0 {
			t.Errorf("%d frames in a journal without tables", len(got))
		}
	}
}

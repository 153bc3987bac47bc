package faultdisk

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// mounted is a disk with a file system, mounted on a folder.
type mounted struct {
	*Disk
	dev    *Device
	folder string
}

func mount(t *testing.T, d *Disk, format bool) *mounted {
	t.Helper()
	m := &mounted{Disk: d, folder: t.TempDir()}
	var err error
	if m.dev, err = d.Attach(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if format {
		err = m.dev.Format()
	}
	if err == nil {
		err = m.dev.Mount(m.folder)
	}
	if err != nil {
		t.Fatal(errors.Join(err, m.dev.Detach()))
	}
	return m
}

func (m *mounted) end(t *testing.T) {
	t.Helper()
	if err := errors.Join(Unmount(m.folder), m.dev.Detach()); err != nil {
		t.Error(err)
	}
}

func put(name, text string, sync bool) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err == nil && sync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// TestCut: what was synced is there after a power cut, what was not may be.
func TestCut(t *testing.T) {
	if err := Private(); err != nil {
		t.Skip(err)
	}
	m := mount(t, New(32<<20), true)
	kept := filepath.Join(m.folder, "kept")
	if err := put(kept, "synced", true); err != nil {
		t.Fatal(err)
	}
	if err := put(filepath.Join(m.folder, "cached"), "not synced", false); err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(8) {
		left := m.Cut(rand.New(rand.NewPCG(seed, 0)))
		again := mount(t, left, false)
		if text, err := os.ReadFile(filepath.Join(again.folder, "kept")); string(text) != "synced" {
			t.Errorf("seed %d: after the cut there is %q, %v", seed, text, err)
		}
		again.end(t)
	}
	if c := m.Counts(); c.Reads == 0 || c.Writes == 0 || c.Syncs == 0 {
		t.Errorf("the disk was asked for %+v", c)
	}
	m.Remove()
	if err := put(kept, "more", true); err == nil {
		t.Error("a disk that is gone syncs a file")
	}
	m.end(t)
}

// TestFailures: programs see what the disk does, and only as long as it does.
func TestFailures(t *testing.T) {
	if err := Private(); err != nil {
		t.Skip(err)
	}
	m := &mounted{Disk: New(32 << 20), folder: t.TempDir()}
	var err error
	if m.dev, err = m.Attach(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.dev.Format("-O", "^has_journal"), m.dev.Mount(m.folder)); err != nil {
		t.Fatal(err)
	}
	defer m.end(t)
	file := filepath.Join(m.folder, "file")
	for _, f := range []Faults{{FailSync: true}, {FailWrite: true}} {
		m.Set(f)
		if err := put(file, "text", true); !errors.Is(err, unix.EIO) {
			t.Errorf("%+v: %v, want %v", f, err, unix.EIO)
		}
		m.Set(Faults{})
		if err := put(file, "text", true); err != nil {
			t.Errorf("after %+v: %v", f, err)
		}
	}
}

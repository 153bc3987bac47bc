package auth

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// A keeper has the key material of a file, and notices when another process
// replaces the file.
type keeper struct {
	path string

	mu       sync.Mutex
	info     fs.FileInfo // of what was read
	material *material
}

func openKeeper(path string) (*keeper, error) {
	m, info, err := readSecrets(path)
	return &keeper{path: path, info: info, material: m}, err
}

func (k *keeper) get() *material {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.material
}

// fresh is get after a look at the file. What cannot be read leaves things as
// they are: a server goes on when its folder is out of reach for a moment.
func (k *keeper) fresh() *material {
	k.mu.Lock()
	defer k.mu.Unlock()
	info, err := os.Stat(k.path)
	if err != nil || sameFile(info, k.info) {
		return k.material
	}
	if m, info, err := readSecrets(k.path); err == nil {
		k.material, k.info = m, info
	}
	return k.material
}

func sameFile(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// maxRetired limits how many keys verify beside the one that signs.
const maxRetired = 12

// A Rotation replaces the key that signs access tokens, in the data folder. A
// running server signs with the new one from its next access token on.
type Rotation struct {
	Dir string
	Now time.Time
	// Forget makes the old keys verify nothing from now on: all access tokens
	// end. Otherwise they verify until what they signed has expired.
	Forget bool
}

// rotationLock is the name, inside the data folder, of the file that who rotates
// holds: of two at once the second must find the key of the first, or its access
// tokens would be nobody's.
const rotationLock = "secrets.lock"

// Rotate does it, durable before it returns, and returns the id of the new key. Of
// several at once each replaces the key of the one before.
func (r Rotation) Rotate() (kid string, err error) {
	path := filepath.Join(r.Dir, SecretsFile)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("rotate the key of access tokens: %w", err)
	}
	held, err := os.OpenFile(filepath.Join(r.Dir, rotationLock), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", fmt.Errorf("rotate the key of access tokens: %w", err)
	}
	defer func() { err = errors.Join(err, held.Close()) }()
	if err := lock(held); err != nil {
		return "", fmt.Errorf("rotate the key of access tokens: %w", err)
	}
	return r.replace(path)
}

// replace does it, once nobody else can.
func (r Rotation) replace(path string) (kid string, err error) {
	old, _, err := readSecrets(path)
	if err != nil {
		return "", fmt.Errorf("rotate the key of access tokens: %w", err)
	}
	renewed := &material{pepper: old.pepper}
	rand.Read(renewed.seed[:])
	if !r.Forget {
		public := ed25519.NewKeyFromSeed(old.seed[:]).Public().(ed25519.PublicKey)
		until := r.Now.UTC().Truncate(time.Second).Add(AccessTokenLife + time.Minute) // clocks of two processes may differ
		renewed.retired = append([]retiredKey{{public, until}}, old.retired...)
		renewed.retired = slices.DeleteFunc(renewed.retired, func(k retiredKey) bool { return !r.Now.Before(k.until) })
	}
	if len(renewed.retired) > maxRetired {
		return "", fmt.Errorf("rotate the key of access tokens: %w: %d keys of the last hour verify still", ErrLimit, maxRetired)
	}
	key, err := webKey(ed25519.NewKeyFromSeed(renewed.seed[:]))
	if err != nil {
		return "", err
	}
	if err := putSecrets(path, renewed, supplant); err != nil {
		return "", fmt.Errorf("rotate the key of access tokens: %w", err)
	}
	return key.KeyID, nil
}

// supplant gives tmp the name path, which is another file's.
func supplant(tmp *os.File, path string) error {
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

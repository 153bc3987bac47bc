package auth

import (
	"cmp"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// SecretsFile is the name, inside the data folder, of the file that holds an
// installation's key material. A backup without it recognises no credential.
const SecretsFile = "secrets.json"

// Secrets is the key material of an installation: the seed of the key that
// signs access tokens, the public keys of those that signed before, and the
// pepper of all hashes. The zero value is not usable.
type Secrets struct {
	// Functions: whatever prints a value by reflection ends there.
	material func() *material
	fresh    func() *material // looks whether the file has changed
}

// material is never changed, only replaced.
type material struct {
	seed    [ed25519.SeedSize]byte
	pepper  [32]byte
	retired []retiredKey // the last first
}

// A retiredKey verifies access tokens that it signed before another key did.
type retiredKey struct {
	public ed25519.PublicKey
	until  time.Time // when all of those have expired
}

func (m *material) get() *material { return m }

// NewSecrets returns fresh key material that is kept nowhere.
func NewSecrets() Secrets {
	m := new(material)
	rand.Read(m.seed[:])
	rand.Read(m.pepper[:])
	return Secrets{m.get, m.get}
}

// LoadSecrets reads the key material from [SecretsFile] in dir. If there is no
// such file it makes one, durable before it returns; of several processes that
// do so at once one wins and all return the same. The file belongs to its owner
// alone: wider permissions are taken away.
func LoadSecrets(dir string) (Secrets, error) {
	path := filepath.Join(dir, SecretsFile)
	k, err := openKeeper(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := writeSecrets(path, NewSecrets().material()); err != nil && !errors.Is(err, fs.ErrExist) {
			return Secrets{}, fmt.Errorf("make %s: %w", path, err)
		}
		k, err = openKeeper(path)
	}
	if err != nil {
		return Secrets{}, err
	}
	return Secrets{k.get, k.fresh}, nil
}

// String returns a mask.
func (Secrets) String() string { return mask }

// Format writes a mask, whatever the verb.
func (Secrets) Format(f fmt.State, _ rune) { fmt.Fprint(f, mask) }

// LogValue returns a mask.
func (Secrets) LogValue() slog.Value { return slog.StringValue(mask) }

// hash returns the keyed hash of parts. Each is preceded by its length, and
// what says what they are, so that no two meanings share a hash.
func (s Secrets) hash(what string, parts ...string) (h Hash) {
	text := appendPart(make([]byte, 0, 128), what)
	for _, part := range parts {
		text = appendPart(text, part)
	}
	mac := hmac.New(sha256.New, s.material().pepper[:])
	mac.Write(text)
	mac.Sum(h[:0])
	return h
}

func appendPart(dst []byte, part string) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(part))), part...)
}

func (s Secrets) keyHash(text string) Hash { return s.hash("api key", text) }

func (s Secrets) clientHash(clientID, text string) Hash { return s.hash("client", clientID, text) }

// A secretsFile is the form of the key material on disk.
type secretsFile struct {
	Version int           `json:"version"`
	Seed    string        `json:"tokenSeed"` // hex
	Pepper  string        `json:"pepper"`    // hex
	Retired []retiredText `json:"retiredTokenKeys,omitempty"`
}

// A retiredText is the form of a [retiredKey] on disk.
type retiredText struct {
	Public string    `json:"public"` // hex
	Until  time.Time `json:"until"`
}

const (
	secretsVersion  = 1
	maxSecretsBytes = 4096
	// onWindows: files have no permission bits there and folders cannot be flushed.
	onWindows = runtime.GOOS == "windows"
)

func readSecrets(path string) (*material, fs.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if err := tighten(f); err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecretsBytes))
	if err != nil {
		return nil, nil, err
	}
	m, err := decodeSecrets(text)
	if err != nil {
		return nil, nil, fmt.Errorf("%s is damaged, restore it from a backup: %w", path, err)
	}
	return m, info, nil
}

// tighten takes away what others may do with f.
func tighten(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file", f.Name())
	}
	if info.Mode().Perm()&0o077 == 0 || onWindows {
		return nil
	}
	if err := f.Chmod(0o600); err != nil {
		return fmt.Errorf("%s is open to others (mode %v) and must not be: %w", f.Name(), info.Mode().Perm(), err)
	}
	return nil
}

// decodeSecrets never says what it read.
func decodeSecrets(text []byte) (*material, error) {
	var file secretsFile
	if json.Unmarshal(text, &file) != nil {
		return nil, errors.New("not the JSON that it should be")
	}
	if file.Version != secretsVersion {
		return nil, fmt.Errorf("version %d is not known", file.Version)
	}
	m := new(material)
	if !decodeHex(m.seed[:], file.Seed) || !decodeHex(m.pepper[:], file.Pepper) {
		return nil, errors.New("a key is not 64 hex digits")
	}
	for _, r := range file.Retired {
		public := make(ed25519.PublicKey, ed25519.PublicKeySize)
		if !decodeHex(public, r.Public) {
			return nil, errors.New("a retired key is not 64 hex digits")
		}
		m.retired = append(m.retired, retiredKey{public, r.Until})
	}
	return m, nil
}

func decodeHex(dst []byte, text string) bool {
	b, err := hex.DecodeString(text)
	return err == nil && copy(dst, b) == len(dst) && len(b) == len(dst)
}

// writeSecrets makes the file whole or not at all. It fails with
// [fs.ErrExist] if there is one.
func writeSecrets(path string, m *material) error { return putSecrets(path, m, place) }

// putSecrets writes a temporary file and lets put give it its name.
func putSecrets(path string, m *material, put func(tmp *os.File, path string) error) error {
	file := secretsFile{Version: secretsVersion, Seed: hex.EncodeToString(m.seed[:]), Pepper: hex.EncodeToString(m.pepper[:])}
	for _, r := range m.retired {
		file.Retired = append(file.Retired, retiredText{hex.EncodeToString(r.public), r.until})
	}
	text, err := json.Marshal(file)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), SecretsFile+".*.tmp") // mode 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(append(text, '\n'))
	err = cmp.Or(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = put(tmp, path)
	}
	left := os.Remove(tmp.Name())
	if errors.Is(left, fs.ErrNotExist) {
		left = nil
	}
	return cmp.Or(err, left)
}

// place gives tmp the name path, unless that is taken.
func place(tmp *os.File, path string) error {
	err := os.Link(tmp.Name(), path) // unlike a rename it replaces nothing
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = os.Rename(tmp.Name(), path) // for file systems without links
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	if onWindows {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return cmp.Or(d.Sync(), d.Close())
}

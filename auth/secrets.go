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
)

// SecretsFile is the name, inside the data folder, of the file that holds an
// installation's key material. A backup without it recognises no credential.
const SecretsFile = "secrets.json"

// Secrets is the key material of an installation: the seed of the key that
// signs access tokens and the pepper of all hashes. The zero value is not
// usable.
type Secrets struct {
	material func() *material // a function: whatever prints a value by reflection ends there
}

type material struct {
	seed   [ed25519.SeedSize]byte
	pepper [32]byte
}

func (m *material) get() *material { return m }

// NewSecrets returns fresh key material that is kept nowhere.
func NewSecrets() Secrets {
	m := new(material)
	rand.Read(m.seed[:])
	rand.Read(m.pepper[:])
	return Secrets{m.get}
}

// LoadSecrets reads the key material from [SecretsFile] in dir. If there is no
// such file it makes one, durable before it returns; of several processes that
// do so at once one wins and all return the same. The file belongs to its owner
// alone: wider permissions are taken away.
func LoadSecrets(dir string) (Secrets, error) {
	path := filepath.Join(dir, SecretsFile)
	s, err := readSecrets(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	if err := writeSecrets(path, NewSecrets()); err != nil && !errors.Is(err, fs.ErrExist) {
		return Secrets{}, fmt.Errorf("make %s: %w", path, err)
	}
	return readSecrets(path)
}

// String returns a mask.
func (Secrets) String() string { return mask }

// Format writes a mask, whatever the verb.
func (Secrets) Format(f fmt.State, _ rune) { fmt.Fprint(f, mask) }

// LogValue returns a mask.
func (Secrets) LogValue() slog.Value { return slog.StringValue(mask) }

func (s Secrets) signingKey() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(s.material().seed[:])
}

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
	Version int    `json:"version"`
	Seed    string `json:"tokenSeed"` // hex
	Pepper  string `json:"pepper"`    // hex
}

const (
	secretsVersion  = 1
	maxSecretsBytes = 4096
	// onWindows: files have no permission bits there and folders cannot be flushed.
	onWindows = runtime.GOOS == "windows"
)

func readSecrets(path string) (Secrets, error) {
	f, err := os.Open(path)
	if err != nil {
		return Secrets{}, err
	}
	defer f.Close()
	if err := tighten(f); err != nil {
		return Secrets{}, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecretsBytes))
	if err != nil {
		return Secrets{}, err
	}
	s, err := decodeSecrets(text)
	if err != nil {
		return Secrets{}, fmt.Errorf("%s is damaged, restore it from a backup: %w", path, err)
	}
	return s, nil
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
func decodeSecrets(text []byte) (Secrets, error) {
	var file secretsFile
	if json.Unmarshal(text, &file) != nil {
		return Secrets{}, errors.New("not the JSON that it should be")
	}
	if file.Version != secretsVersion {
		return Secrets{}, fmt.Errorf("version %d is not known", file.Version)
	}
	m := new(material)
	if !decodeHex(m.seed[:], file.Seed) || !decodeHex(m.pepper[:], file.Pepper) {
		return Secrets{}, errors.New("a key is not 64 hex digits")
	}
	return Secrets{m.get}, nil
}

func decodeHex(dst []byte, text string) bool {
	b, err := hex.DecodeString(text)
	return err == nil && copy(dst, b) == len(dst) && len(b) == len(dst)
}

// writeSecrets makes the file whole or not at all. It fails with
// [fs.ErrExist] if there is one.
func writeSecrets(path string, s Secrets) error {
	text, err := json.Marshal(secretsFile{
		secretsVersion, hex.EncodeToString(s.material().seed[:]), hex.EncodeToString(s.material().pepper[:]),
	})
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), SecretsFile+".*.tmp") // mode 0600
	if err != nil {
		return err
	}
	err = place(tmp, append(text, '\n'), path)
	left := os.Remove(tmp.Name())
	if errors.Is(left, fs.ErrNotExist) {
		left = nil
	}
	return cmp.Or(err, left)
}

// place fills tmp and gives it the name path, unless that is taken.
func place(tmp *os.File, text []byte, path string) error {
	_, err := tmp.Write(text)
	if err := cmp.Or(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	err = os.Link(tmp.Name(), path) // unlike a rename it replaces nothing
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

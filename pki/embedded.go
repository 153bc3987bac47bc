package pki

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// The files of the embedded authority in its folder.
const (
	KeyFile  = "ca.key" // PKCS #8, PEM, mode 0600
	CertFile = "ca.pem"
)

// Open returns the embedded authority of a folder, and makes it if there is
// none: a key on P-256, and a certificate that signs itself for twenty years and
// under which there are no other authorities.
func Open(dir string, o Options) (*Authority, error) {
	cert, key := filepath.Join(dir, CertFile), filepath.Join(dir, KeyFile)
	if err := makeKey(key, cert); err != nil {
		return nil, fmt.Errorf("certificate authority %s: %w", cert, err)
	}
	if err := tighten(key); err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	if err := makeCert(cert, key, o); err != nil {
		return nil, fmt.Errorf("certificate authority %s: %w", cert, err)
	}
	return Load(cert, key, o)
}

var errNoKey = errors.New("its key is not there: restore it from a backup")

// makeKey makes the key unless it is there, or was there: it comes before the
// certificate, so that is looked for first.
func makeKey(file, cert string) error {
	used, err := exists(cert)
	if err != nil {
		return err
	}
	there, err := exists(file)
	if there || err != nil {
		return err
	}
	if used {
		return errNoKey
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	text, err := encodeKey(key)
	if err != nil {
		return err
	}
	return place(file, text, 0o600)
}

// makeCert makes the certificate unless it is there.
func makeCert(file, keyFile string, o Options) error {
	there, err := exists(file)
	if there || err != nil {
		return err
	}
	key, err := readKey(keyFile)
	if err != nil {
		return err
	}
	now := o.Now()
	c := &x509.Certificate{
		SerialNumber:          newSerial(),
		Subject:               pkix.Name{CommonName: o.Operator + " CA", Organization: []string{o.Operator}},
		NotBefore:             now.Add(-24 * backdate),
		NotAfter:              now.Add(caValidity),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		return err
	}
	return place(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}

func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func readKey(file string) (crypto.Signer, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s is damaged, restore it from a backup: not in PEM form", file)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s is damaged, restore it from a backup", file) // err may quote it
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("the key in %s cannot sign", file)
	}
	return signer, nil
}

func exists(file string) (bool, error) {
	_, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// onWindows: files have no permission bits there and folders cannot be flushed.
const onWindows = runtime.GOOS == "windows"

// tighten takes away what others may do with a file.
func tighten(file string) error {
	info, err := os.Stat(file)
	if err != nil || onWindows || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	return os.Chmod(file, 0o600)
}

// place makes a file whole or not at all. One that somebody else made first
// stays.
func place(file string, text []byte, mode os.FileMode) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if left := os.Remove(tmp.Name()); err == nil && !errors.Is(left, fs.ErrNotExist) {
			err = left
		}
	}()
	_, err = tmp.Write(text)
	if err := cmp.Or(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	err = os.Link(tmp.Name(), file) // unlike a rename it replaces nothing
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = os.Rename(tmp.Name(), file) // for file systems without links
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return flushFolder(filepath.Dir(file))
}

func flushFolder(dir string) error {
	if onWindows {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return cmp.Or(d.Sync(), d.Close())
}

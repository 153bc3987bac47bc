package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"leyden/bench"
	"leyden/ocpp"
	"leyden/sim"
)

func benchIdleCommand() *cobra.Command {
	var s benchSettings
	var settle time.Duration
	var useTLS bool
	cmd := &cobra.Command{
		Use:   "idle",
		Short: "Measure what connected stations cost that do nothing",
		Long: `Idle connects stations, lets them boot, and measures how long it takes until all
are there, and what each costs: resident memory of the server, at once and when it
has settled, heap, stacks and goroutines. What boots leave behind goes at the
next garbage collection, after two minutes at the latest: --settle 150s shows it.

Each station takes a file descriptor in both processes (ulimit -Hn).`,
		Example: `  leyden bench idle --stations 15000 --settle 150s
  leyden bench idle --stations 15000 --tls`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := loadSettings(cmd.Flags(), lookupEnv); err != nil {
				return err
			}
			if s.stations < 1 || settle < 0 {
				return usagef("--stations must be above 0, --settle not below")
			}
			if err := s.check(); err != nil {
				return err
			}
			r := bench.NewReport("idle", map[string]string{"stations": fmt.Sprint(s.stations), "settle": settle.String(), "tls": fmt.Sprint(useTLS)})
			once := func(ctx context.Context, o bench.Options) (*bench.Sample, error) {
				if !useTLS {
					return bench.Idle(ctx, o, settle)
				}
				return overTLS(o, func(o bench.Options) (*bench.Sample, error) { return bench.Idle(ctx, o, settle) })
			}
			return s.measure(cmd.Context(), r, "RSS settled", once, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	s.flags(cmd)
	cmd.Flags().IntVar(&s.stations, "stations", 15_000, "how many stations, each with a connection")
	cmd.Flags().DurationVar(&settle, "settle", 10*time.Second, "how long nothing happens before it is measured again")
	cmd.Flags().BoolVar(&useTLS, "tls", false, "stations speak TLS")
	return cmd
}

// overTLS measures with a server that speaks TLS, with a certificate made for that.
func overTLS(o bench.Options, once func(bench.Options) (*bench.Sample, error)) (s *bench.Sample, err error) {
	folder, err := os.MkdirTemp("", "leyden-bench-tls-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	certFile, keyFile := filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	trusted, err := selfSigned(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	o.Flags = append(o.Flags, "--tls-cert", certFile, "--tls-key", keyFile)
	o.TLS = &tls.Config{RootCAs: trusted}
	o.Dial = func(url string) sim.Dialer { return sim.WebSocket(url, ocpp.DialOptions{TLS: o.TLS}) }
	return once(o)
}

// selfSigned writes a certificate for loopback and its key, and returns who trusts it.
func selfSigned(certFile, keyFile string) (*x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return pool, errors.Join(os.WriteFile(certFile, certPEM, 0o600), os.WriteFile(keyFile, keyPEM, 0o600))
}

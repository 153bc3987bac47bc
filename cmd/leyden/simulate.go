package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"leyden"
	"leyden/ocpp"
	"leyden/sim"
)

// goodEnd is how long simulated charges may take to end when the simulation is
// interrupted.
const goodEnd = 10 * time.Second

type simulateSettings struct {
	url, data, station, password string
	ca, cert, key                string
	ocppVersion                  string
	quirks                       []string
	sim.Options
}

func simulateCommand() *cobra.Command {
	var s simulateSettings
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Drive simulated stations through charges against a server",
		Long: `Simulated stations boot, report status, authorize drivers, charge with a power
curve and a state of charge, and stop; they honour remote start and stop, charging
profiles, reservations, local lists, certificates and all other commands (files are
not transferred), lose connections and queue what they could not send. The same
seed is the same charges. The command ends with 1 if the server broke an
expectation: a resent start with another number, a number used twice, an answer
that the OCPP schemas refuse, an error that would lose a charge.

Real stations are not all as they should be: --quirk gives the simulated ones the
ways of some, session-register (the register of each charge begins at 0),
offline-ids (a charge that began offline stops under −1), fractional-meters (a
fraction in meterStop) and no-zone (timestamps without a zone).

A server admits registered stations only. With --data, beside a server of this
machine, the stations and their idTags are registered in its data folder;
without, the server must run with --admission open, or know the stations
(SIM-0001, SIM-0002, … or the one that --station names) with the one password
that --password gives.`,
		Example: `  leyden simulate --stations 10 --sessions 3 --data ./data
  leyden simulate --url ws://127.0.0.1:8080/ocpp --duration 5m --cut 0.05 --repeat 0.1 --seed 42
  leyden simulate --data ./data --sign --quirk session-register,no-zone
  leyden simulate --station CHARGER-001 --password "$PASSWORD" --passive
  leyden simulate --url wss://127.0.0.1:8443/ocpp --ca leyden-ca.pem --station CHARGER-001 \
    --cert CHARGER-001.pem --key CHARGER-001.key     security profile 3`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := loadSettings(cmd.Flags(), lookupEnv); err != nil {
				return err
			}
			if err := s.complete(); err != nil {
				return err
			}
			if s.data != "" {
				if err := recordedIn(s.data, cmd, nil, s.register(cmd.Context())); err != nil {
					return err
				}
			}
			return simulate(cmd.Context(), &s, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	s.flags(cmd)
	return cmd
}

func (s *simulateSettings) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.url, "url", "ws://127.0.0.1:8080/ocpp", "where stations connect; their identity is appended")
	f.StringVar(&s.ocppVersion, "version", "1.6", "OCPP version; 1.6 is what there is")
	f.StringVar(&s.data, "data", "", "register the stations in this data folder of a server")
	f.StringVar(&s.station, "station", "", "be the one station with this identity")
	f.StringVar(&s.password, "password", "", "password of all stations")
	f.StringVar(&s.ca, "ca", "", "PEM file with the certificates to trust for wss")
	f.StringVar(&s.cert, "cert", "", "PEM file with the client certificate of the one station that --station names (security profile 3)")
	f.StringVar(&s.key, "key", "", "PEM file with its key")
	f.IntVar(&s.Stations, "stations", 1, "how many stations")
	f.IntVar(&s.Connectors, "connectors", 1, "connectors of each station")
	f.IntVar(&s.Sessions, "sessions", 0, "charges at each connector, then end (1 without --duration)")
	f.DurationVar(&s.Duration, "duration", 0, "charge for so long, then end (until interrupted with --passive)")
	f.BoolVar(&s.Passive, "passive", false, "nobody comes: the stations do only what they are told, such as a remote start")
	f.Uint64Var(&s.Seed, "seed", 1, "what is charged follows from it")
	f.Float64Var(&s.Speed, "speed", 60, "how many times faster than life")
	f.DurationVar(&s.RampUp, "ramp-up", 0, "time over which the stations are started")
	f.DurationVar(&s.SampleInterval, "interval", time.Minute, "simulated time between meter values")
	f.Float64Var(&s.Faults.Cut, "cut", 0, "share of transaction messages around which the connection is lost")
	f.Float64Var(&s.Faults.Lose, "lose", 0, "share of transaction messages whose answer is lost")
	f.Float64Var(&s.Faults.Repeat, "repeat", 0, "share of transaction messages that are sent once more")
	f.StringSliceVar(&s.quirks, "quirk", nil, "ways in which the stations differ from OCPP: "+quirkNames())
	f.BoolVar(&s.Signed, "sign", false, "meters sign the readings of each charge (OCMF, P-256); their keys are shown")
	f.Float64Var(&s.Faults.Offline, "offline", 0, "share of charges during which the station is offline for a while")
}

func simulate(ctx context.Context, s *simulateSettings, stdout, stderr io.Writer) error {
	if err := s.knock(ctx); err != nil {
		return err
	}
	if err := s.showKeys(stdout); err != nil {
		return err
	}
	finish := s.showProgress(stderr)
	fleet, err := sim.NewFleet(s.Options)
	if err != nil {
		return usagef("%v", err)
	}
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		fleet.Stop()
		time.AfterFunc(goodEnd, cancel)
	})
	defer stop()
	report := fleet.Run(hard)
	finish()
	fmt.Fprint(stdout, report)
	if report.Started == 0 && report.Breaches == 0 && !s.Passive {
		return fmt.Errorf("no charge began; may these stations and idTags charge at %s? see leyden simulate --help", s.url)
	}
	return report.Err()
}

// knock connects the first station once: a fleet would go on trying.
func (s *simulateSettings) knock(ctx context.Context) error {
	first := s.StationIDs()[0]
	tr, err := s.Dial(ctx, sim.Login{Station: first, Password: s.Password(first)})
	if err != nil {
		return s.refusal(first, err)
	}
	if err := tr.Close(ocpp.CloseNormal, ""); err != nil {
		return fmt.Errorf("first connection to %s: %w", s.url, err)
	}
	for tr.Receive(func([]byte) error { return nil }) == nil {
		continue // until the server agrees: otherwise it may take the next connection for a second one
	}
	return nil
}

// refusal says why the first connection did not come about, and what to do.
func (s *simulateSettings) refusal(station string, err error) error {
	refusal, ok := errors.AsType[*ocpp.HandshakeError](err)
	switch {
	case ok && refusal.Status == http.StatusUnauthorized:
		return fmt.Errorf("the server does not admit station %s: %s", station, s.remedy())
	case ok:
		return fmt.Errorf("the server at %s takes no stations: %w; is the --url right?", s.url, refusal)
	}
	if _, untrusted := errors.AsType[x509.UnknownAuthorityError](err); untrusted {
		return fmt.Errorf("the certificate of the server at %s is not trusted (%w); give the one of its authority with --ca, "+
			"for a server's own authority what `leyden ca show` prints", s.url, err)
	}
	if _, invalid := errors.AsType[*tls.CertificateVerificationError](err); invalid {
		return fmt.Errorf("the certificate of the server at %s is not good for it: %w", s.url, err)
	}
	if _, alert := errors.AsType[tls.AlertError](err); alert || strings.Contains(err.Error(), "remote error: tls:") {
		return fmt.Errorf("the server at %s ended the TLS handshake: %w; is --cert one that it trusts?", s.url, err)
	}
	return fmt.Errorf("no server to charge at %s: %w; start one with leyden serve, or name it with --url", s.url, err)
}

// remedy says what to look at when a station is not admitted.
func (s *simulateSettings) remedy() string {
	switch {
	case s.cert != "":
		return "is it registered there, and are --cert's CN its identity and O the server's --operator?"
	case s.data != "":
		return "does the server serve the folder that --data names?"
	case s.password != "":
		return "is it registered there, is --password its password, and does its security profile want TLS (wss) or a certificate (--cert)?"
	}
	return "name its data folder with --data, give the stations' --password, or run it with --admission open"
}

// complete checks the settings and fills in what follows from them.
func (s *simulateSettings) complete() error {
	u, err := url.Parse(s.url)
	switch {
	case err != nil || u.Scheme != "ws" && u.Scheme != "wss" || u.Host == "":
		return usagef("--url %q is no WebSocket URL; write ws://HOST:PORT/ocpp or wss://…", s.url)
	case s.ocppVersion != "1.6":
		return usagef("--version %q is not there; 1.6 is", s.ocppVersion)
	case s.Stations < 1 || s.Connectors < 1:
		return usagef("--stations and --connectors must be at least 1")
	case s.Sessions < 0 || s.Duration < 0 || s.RampUp < 0:
		return usagef("--sessions, --duration and --ramp-up must not be negative")
	case s.Passive && s.Sessions > 0:
		return usagef("--passive stations have no --sessions of their own")
	case s.Speed <= 0:
		return usagef("--speed must be above 0")
	case s.SampleInterval < time.Second:
		return usagef("--interval must be at least 1s")
	case (s.cert == "") != (s.key == ""):
		return usagef("--cert and --key go together")
	case s.cert != "" && s.data != "":
		return usagef("--data makes passwords: leave out --cert")
	case s.cert != "" && (s.station == "" || u.Scheme != "wss"):
		return usagef("--cert is for the one station that --station names, at a wss:// --url")
	case s.data != "" && s.password != "":
		return usagef("--data makes the stations' passwords: leave out --password")
	}
	if err := s.beOne(); err != nil {
		return err
	}
	if err := s.beQuirky(); err != nil {
		return err
	}
	f := s.Faults
	if min(f.Cut, f.Lose, f.Repeat, f.Offline) < 0 || max(f.Cut+f.Lose, f.Repeat, f.Offline) > 1 {
		return usagef("--cut, --lose, --repeat and --offline are shares from 0 to 1, and --cut and --lose no more than 1 together")
	}
	if s.Sessions == 0 && s.Duration == 0 && !s.Passive {
		s.Sessions = 1
	}
	s.Password = func(string) string { return s.password }
	var o ocpp.DialOptions
	if o.TLS, err = s.tls(); err != nil {
		return err
	}
	s.SecurityProfile = s.comesAt(u.Scheme)
	s.Dial = sim.WebSocket(strings.TrimSuffix(s.url, "/"), o)
	return nil
}

// comesAt returns the security profile that the stations come at; 0 for that of
// their passwords.
func (s *simulateSettings) comesAt(scheme string) int {
	switch {
	case s.cert != "":
		return 3
	case scheme == "wss" && (s.password != "" || s.data != ""):
		return 2
	}
	return 0
}

// beQuirky gives the fleet the ways that --quirk names.
func (s *simulateSettings) beQuirky() error {
	for _, q := range s.quirks {
		if !slices.Contains(sim.Quirks(), sim.Quirk(q)) {
			return usagef("--quirk %q is none; there are %s", q, quirkNames())
		}
		s.Quirks = append(s.Quirks, sim.Quirk(q))
	}
	return nil
}

func quirkNames() string {
	var names []string
	for _, q := range sim.Quirks() {
		names = append(names, string(q))
	}
	return strings.Join(names, ", ")
}

// showKeys prints the keys of the meters, for an operator to make them known.
func (s *simulateSettings) showKeys(stdout io.Writer) error {
	if !s.Signed {
		return nil
	}
	for _, id := range s.StationIDs() {
		key, err := s.MeterKey(id)
		if err != nil {
			return fmt.Errorf("key of the meter of %s: %w", id, err)
		}
		fmt.Fprintf(stdout, "%-12s %s %s\n", "meter key", id, key)
	}
	return nil
}

// beOne makes the fleet the one station that --station names.
func (s *simulateSettings) beOne() error {
	if s.station == "" {
		return nil
	}
	if !leyden.StationID(s.station).Valid() || s.Stations != 1 {
		return usagef("--station takes one identity of a station, without --stations")
	}
	s.Name = func(int) string { return s.station }
	return nil
}

// tls returns what stations trust and show, or nil for what is usual.
func (s *simulateSettings) tls() (c *tls.Config, err error) {
	if s.ca != "" {
		if c, err = trust(s.ca); err != nil {
			return nil, err
		}
	}
	if s.cert == "" {
		return c, nil
	}
	pair, err := tls.LoadX509KeyPair(s.cert, s.key)
	if err != nil {
		return nil, usagef("--cert %s with --key %s: %v", s.cert, s.key, err)
	}
	c = cmp.Or(c, new(tls.Config))
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}

func trust(file string) (*tls.Config, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, usagef("--ca: %v", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, usagef("--ca %s holds no certificate in PEM form", file)
	}
	return &tls.Config{RootCAs: pool}, nil
}

// register makes the stations and their idTags known to the server that serves
// the data folder.
func (s *simulateSettings) register(ctx context.Context) (err error) {
	db, err := openFolder(ctx, s.data)
	if err != nil {
		return err
	}
	defer func() { err = closing(err, db) }()
	passwords := make(map[string]string)
	for _, id := range s.StationIDs() {
		if passwords[id], err = admitStation(ctx, db, leyden.StationID(id), "Simulated station"); err != nil {
			return fmt.Errorf("register %s: %w", id, err)
		}
	}
	s.Password = func(station string) string { return passwords[station] }
	return listTags(ctx, db, s.IDTags())
}

// showProgress shows a bar on a terminal, and returns what ends it.
func (s *simulateSettings) showProgress(stderr io.Writer) (finish func()) {
	total := -1
	if s.Sessions > 0 {
		total = s.Stations * s.Connectors * s.Sessions
	}
	bar := newBar(stderr, total, "charges")
	if bar == nil {
		return func() {}
	}
	s.OnProgress = func(p sim.Progress) {
		bar.set(p.Completed, fmt.Sprintf("%d online, %d charging, %d queued, %d reconnects; charges", p.Online, p.Charging, p.Queued, p.Reconnects))
	}
	return bar.finish
}

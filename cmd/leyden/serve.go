package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"leyden"
	"leyden/auth"
)

// Limits of serving.
const (
	readHeaderTimeout = 10 * time.Second // also of a WebSocket handshake
	writeTimeout      = 60 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10

	// What --limits-frames-per-second takes: with fewer a station could not get
	// its queue sent, and more is no limit.
	leastFrames, mostFrames = 100, 1_000_000
	drainTimeout            = 5 * time.Second // the ledger then has another 5 s: ten in all
)

// serveSettings are what `leyden serve` can be told.
type serveSettings struct {
	listen, data, config string
	store                string
	admission, idTags    string
	publicURL            string
	insecure             bool
	demo                 int
	startConflict        string
	strict               bool
	logLevel             string

	remoteStartExpire           time.Duration
	remoteStartRequirePreparing bool
	remoteStartDefaultIDTag     string

	heartbeat, ping time.Duration
	framesPerSecond int

	journal journalSettings
	feed    feedSettings
	export  exportSettings

	webhooks webhookSettings

	calls callSettings

	tls tlsSettings

	dataGiven bool
}

func serveCommand() *cobra.Command {
	var s serveSettings
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve stations and clients",
		Long: `Serve stations over OCPP 1.6 at ws://HOST/ocpp/ID and clients over REST at
/api/v1 and /v2, on one address; /docs describes the REST API.

At the first start with an empty data folder an admin API key is made and shown
once; LEYDEN_ADMIN_KEY sets it instead. Every flag is also an environment
variable (LEYDEN_LISTEN) and a key of the config file (listen); a flag beats the
environment, which beats the file. SIGTERM and Ctrl-C drain: open answers leave,
sockets close, and the command ends with 0. A second one ends it at once, which
loses nothing that was answered.`,
		Example: `  leyden serve --demo 5                    five simulated stations that charge
  leyden serve                             registered stations only, loopback only
  leyden serve --listen :8443 --tls-cert cert.pem --tls-key key.pem --data /var/lib/leyden`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := loadSettings(cmd.Flags(), lookupEnv); err != nil {
				return err
			}
			s.dataGiven = cmd.Flags().Changed("data")
			if err := s.check(); err != nil {
				return err
			}
			return serve(cmd.Context(), &s, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	s.flags(cmd)
	return cmd
}

func (s *serveSettings) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.listen, "listen", "127.0.0.1:8080", "address to serve on")
	f.StringVar(&s.data, "data", "./data", "folder that keeps the ledger")
	f.StringVar(&s.store, "store", storeSQLite, "where the ledger is kept: sqlite, or memory, which is empty at first and lost at the end, for measuring")
	f.StringVar(&s.config, "config", "", "TOML file with more settings")
	f.StringVar(&s.admission, "admission", "registered", "which stations may connect: registered, or open (any; on loopback only)")
	f.StringVar(&s.idTags, "id-tags", "", "what an unlisted idTag is worth: listed (Invalid) or open (Accepted); default listed, open with --admission open")
	f.StringVar(&s.publicURL, "public-url", "", "where clients and stations reach this server, e.g. https://csms.example.com")
	f.BoolVar(&s.insecure, "insecure", false, "allow --admission open on an address that others can reach")
	f.IntVar(&s.demo, "demo", 0, "attach that many simulated stations that charge")
	f.StringVar(&s.startConflict, "start-conflict", string(leyden.ConflictEvidence), "a start on a busy connector: evidence, accept or reject")
	f.BoolVar(&s.strict, "strict", false, "refuse whatever the OCPP schemas forbid")
	f.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error")
	f.DurationVar(&s.remoteStartExpire, "remote-start-expire", 120*time.Second, "how long a remote start waits where the station told no ConnectionTimeOut")
	f.BoolVar(&s.remoteStartRequirePreparing, "remote-start-require-preparing", false, "refuse a remote start unless a vehicle is plugged in")
	f.StringVar(&s.remoteStartDefaultIDTag, "remote-start-default-id-tag", "", "idTag of a start that names none")
	f.DurationVar(&s.heartbeat, "heartbeat", 300*time.Second, "interval that stations are told")
	f.IntVar(&s.framesPerSecond, "limits-frames-per-second", 3000, "how many frames a second are read of one station; what it sends faster waits")
	f.DurationVar(&s.ping, "ping", 60*time.Second, "WebSocket ping interval; two missed pongs close the socket")
	s.journal.flags(f)
	s.export.flags(f)
	s.calls.flags(f)
	s.feed.flags(f)
	s.webhooks.flags(f)
	s.tls.flags(f)
}

// check finds what cannot be, before anything is opened.
func (s *serveSettings) check() error {
	host, _, err := net.SplitHostPort(s.listen)
	if err != nil {
		return usagef("--listen %q is no address; write host:port, e.g. 127.0.0.1:8080 or :8080", s.listen)
	}
	public, err := url.Parse(s.publicURL)
	if err != nil || s.publicURL != "" && (public.Scheme != "http" && public.Scheme != "https" || public.Host == "") {
		return usagef("--public-url %q is no URL; write https://HOST", s.publicURL)
	}
	switch {
	case s.admission != string(auth.AdmitRegistered) && s.admission != string(auth.AdmitOpen):
		return usagef("--admission is registered or open, not %q", s.admission)
	case s.idTags != "" && s.idTags != string(leyden.TokensListed) && s.idTags != string(leyden.TokensOpen):
		return usagef("--id-tags is listed or open, not %q", s.idTags)
	case s.demo < 0 || s.demo > maxDemo:
		return usagef("--demo takes 0 to %d stations", maxDemo)
	case s.framesPerSecond < leastFrames || s.framesPerSecond > mostFrames:
		return usagef("--limits-frames-per-second takes %d to %d", leastFrames, mostFrames)
	case s.heartbeat < time.Second || s.ping < time.Second || s.remoteStartExpire < time.Second:
		return usagef("--heartbeat, --ping and --remote-start-expire must be at least 1s")
	case s.admission == string(auth.AdmitOpen) && !isLoopback(host) && !s.insecure:
		return usagef("--admission open on %s lets anybody on the network pose as a station; listen on 127.0.0.1, "+
			"register your stations (leyden station add), or give --insecure if you mean it", s.listen)
	}
	if err := cmp.Or(s.checkStore(), s.journal.check(), s.calls.check(), s.export.check()); err != nil {
		return err
	}
	if err := cmp.Or(s.feed.check(), s.webhooks.check()); err != nil {
		return err
	}
	switch leyden.StartConflict(s.startConflict) {
	case leyden.ConflictEvidence, leyden.ConflictAccept, leyden.ConflictReject:
	default:
		return usagef("--start-conflict is evidence, accept or reject, not %q", s.startConflict)
	}
	if s.idTags == "" {
		s.idTags = string(leyden.TokensListed)
		if s.admission == string(auth.AdmitOpen) {
			s.idTags = string(leyden.TokensOpen)
		}
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.logLevel)); err != nil {
		return usagef("--log-level is debug, info, warn or error, not %q", s.logLevel)
	}
	return s.tls.check()
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// serve runs a server until ctx is done or it fails.
func serve(ctx context.Context, s *serveSettings, stdout, stderr io.Writer) (err error) {
	log := newLog(s, stderr)
	served, err := openCertificates(&s.tls, log)
	if err != nil {
		return err
	}
	listener, plain, err := s.listenAll()
	if err != nil {
		return err
	}
	defer closeListeners(listener, plain)
	data, forget, err := dataFolder(s)
	if err != nil {
		return err
	}
	defer forget()
	db, err := s.openStore(ctx, data)
	if err != nil {
		return err
	}
	defer func() { err = closing(err, db) }()
	db.journal = s.journal.open(ctx, data, log)
	n := &node{settings: s, log: log, db: db, listener: listener, plainListener: plain, authority: &authority{settings: &s.tls.authoritySettings, data: data, served: served, since: db.certificatesSince}}
	if n.daily, err = s.export.schedule(db, data, log); err != nil {
		return err
	}
	if err := n.wire(); err != nil {
		return err
	}
	n.csms.Recover(ctx)
	if err := n.prepareDemo(ctx); err != nil {
		return err
	}
	// The last that can fail: a key that was made is shown.
	key, err := n.adminKey(ctx)
	if err != nil {
		return err
	}
	n.noteReach(data)
	return n.run(ctx, stdout, func() { n.greet(stdout, data, key) })
}

// run serves, calls greet, and drains when ctx is done or serving fails.
func (n *node) run(ctx context.Context, stdout io.Writer, greet func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// The ledger outlives ctx: sessions that end still tell it things.
	ledger, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	n.running.Go(func() {
		n.ledger.Run(ledger, func(err error) { n.log.Error("ledger", "err", err) })
	})
	n.running.Go(func() {
		if err := n.serveHTTP(); !errors.Is(err, http.ErrServerClosed) {
			cancel(fmt.Errorf("serve: %w", err))
		}
	})
	n.serveBeside(ctx, cancel)
	greet()
	if n.db.disk == nil {
		n.log.Warn("the ledger is in memory and lost when this process ends: this is for measuring, never for charging")
	}
	if n.exposed() {
		n.log.Warn("without TLS keys and passwords cross the network in clear: give --tls-cert and --tls-key, or --public-url if a proxy speaks TLS")
	}
	n.startDemo(ctx, stdout)
	<-ctx.Done()
	err := n.drain()
	end()
	n.running.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	return err
}

// exposed reports whether secrets may cross a network that is not ours in clear.
func (n *node) exposed() bool {
	addr, ok := n.listener.Addr().(*net.TCPAddr)
	return ok && !addr.IP.IsLoopback() && n.http.TLSConfig == nil && !strings.HasPrefix(n.settings.publicURL, "https://")
}

func newLog(s *serveSettings, stderr io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.logLevel)); err != nil {
		level = slog.LevelInfo
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	slog.SetDefault(log)
	return log
}

// listenAll listens on the addresses of the settings; plain is nil without one.
func (s *serveSettings) listenAll() (listener, plain net.Listener, err error) {
	if listener, err = listen("--listen", s.listen); err != nil {
		return nil, nil, err
	}
	if s.tls.listenPlain == "" {
		return listener, nil, nil
	}
	if plain, err = listen("--listen-plain", s.tls.listenPlain); err != nil {
		return nil, nil, closing(err, listener)
	}
	return listener, plain, nil
}

func listen(flag, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is taken by another program; choose another address with %s", address, flag)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("you may not listen on %s; choose a port above 1023 with %s", address, flag)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return l, nil
}

// closeListeners closes what listens; serving has closed it before.
func closeListeners(list ...net.Listener) {
	for _, l := range list {
		if l != nil {
			_ = l.Close()
		}
	}
}

// drain lets nobody in any more, closes sockets with 1012 and waits until open
// requests are answered. What does not end in time is cut: no reason to fail.
func (n *node) drain() error {
	n.log.Info("draining")
	n.demo.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	requests := make(chan error, 2)
	go func() { requests <- n.http.Shutdown(ctx) }()
	go func() { requests <- n.plain.Shutdown(ctx) }()
	err := errors.Join(n.csms.Drain(ctx), <-requests, <-requests)
	if errors.Is(err, context.DeadlineExceeded) {
		n.log.Warn("some connections did not end in time and were cut")
		err = errors.Join(n.http.Close(), n.plain.Close())
	}
	return err
}

// greet tells a person what to do next. It writes all at once, so that nobody
// reads half of it.
func (n *node) greet(out io.Writer, data, key string) {
	var b strings.Builder
	fmt.Fprintf(&b, "Leyden serves %s\n", n.url)
	fmt.Fprintf(&b, "  stations   %s/ocpp/{station}\n", "ws"+strings.TrimPrefix(n.url, "http"))
	if n.plainListener != nil {
		fmt.Fprintf(&b, "             ws://%s/ocpp/{station}   (without TLS)\n", n.plainListener.Addr())
	}
	fmt.Fprintf(&b, "  REST API   %s/docs\n", n.url)
	switch {
	case n.settings.store == storeMemory:
		fmt.Fprintf(&b, "  ledger     in memory: NOTHING IS KEPT when this process ends\n")
	case n.settings.temporary():
		fmt.Fprintf(&b, "  ledger     %s   (removed at the end)\n", data)
	}
	if key != "" {
		fmt.Fprintf(&b, "  admin key  %s   (shown only now)\n", key)
	}
	if key == "" && n.settings.demo > 0 {
		key = "$KEY" // the caller's own
	}
	if key != "" {
		fmt.Fprintf(&b, "\nTry:\n")
		curl := "curl -s"
		if file := n.authority.trustFile(); file != "" {
			curl += fmt.Sprintf(" --cacert '%s'", file)
		}
		for _, path := range []string{"/api/v1/transactions?limit=5", "/v2/transactions?limit=5", "/api/v1/chargers"} {
			fmt.Fprintf(&b, "  %s -H \"X-API-Key: %s\" '%s%s'\n", curl, key, n.url, path)
		}
	}
	fmt.Fprint(out, b.String())
}

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"leyden"
	"leyden/apiv1"
	"leyden/apiv2"
	"leyden/auth"
	"leyden/calls"
	"leyden/csms"
	"leyden/daily"
	"leyden/feed"
	"leyden/ocpp"
	"leyden/pki"
	"leyden/rest"
)

// A node is one serving process, wired together.
type node struct {
	settings *serveSettings
	log      *slog.Logger
	db       *folder
	ledger   *leyden.Ledger
	csms     *csms.Server
	http     *http.Server
	listener net.Listener
	url      string // where clients on this machine reach it

	authority     *authority
	plain         *http.Server // serves stations without TLS
	plainListener net.Listener // nil: it has nothing to serve

	feed   *feed.Feed
	events *apiv1.Renderer
	daily  *daily.Schedule // nil: no day is written

	webhooks   *feed.WebhookRegistrar
	dispatcher *feed.Dispatcher

	running sync.WaitGroup // ledger and listener
	demo    *demo
	book    *calls.Book
}

// wire wires the packages; nothing runs yet.
func (n *node) wire() error {
	s, db, log := n.settings, n.db, n.log
	db.config.Log, db.config.Operator = log, s.tls.operator
	db.config.Issuer = cmp.Or(strings.TrimSuffix(s.publicURL, "/"), db.config.Issuer)
	if err := n.trustOwn(); err != nil {
		return err
	}
	n.ledger = leyden.NewLedger(db, db, leyden.Options{
		StartConflict: leyden.StartConflict(s.startConflict),
		Tokens:        leyden.TokenPolicy(s.idTags),
		StartTimeout:  s.remoteStartExpire,
	})
	n.wireFeed()
	if err := n.wireWebhooks(); err != nil {
		return err
	}
	authenticator, err := auth.NewAuthenticator(db.config)
	if err != nil {
		return fmt.Errorf("access tokens: %w", err)
	}
	if n.book, err = db.openBook(db.config.Secrets, s.calls.auditAge); err != nil {
		return err
	}
	n.csms = csms.New(n.ledger, csms.Options{
		Gate:             gate{auth.NewStationGate(db.config, auth.Admission(s.admission))},
		Open:             s.admission == string(auth.AdmitOpen),
		Log:              log,
		Heartbeat:        s.heartbeat,
		RequirePreparing: s.remoteStartRequirePreparing,
		Strict:           s.strict,
		Devices:          db,
		Signer:           n.signer(),
		Journal:          db.frames(),
		Ready:            db.Ready,
		Timeouts:         ocpp.Timeouts{Ping: s.ping, Pace: time.Second / time.Duration(s.framesPerSecond)},
	})
	addr, _ := n.listener.Addr().(*net.TCPAddr)
	scheme := "http"
	if s.tls.on() {
		scheme = "https"
	}
	n.url = scheme + "://" + reachable(addr)
	api := rest.New(rest.Config{
		Version: version, PublicURL: strings.TrimSuffix(s.publicURL, "/"), Auth: authenticator, Now: time.Now, Log: log,
		Calls: n.book, Mask: csms.MaskedKeys, Limits: s.calls.limits, CORS: s.calls.origins,
		Metrics: n.metrics(), Ready: n.readiness, Open: addr != nil && addr.IP.IsLoopback(),
	})
	apiv1.Register(api, apiv1.Config{
		Journal: db.frames(), Feed: n.feed, Events: n.events, Webhooks: n.webhooks, Dispatcher: n.dispatcher,
		Ledger: n.ledger, Stations: n.csms, Registrar: db.registrar, Devices: db, Calls: db, Authority: n.authority,
		PublicURL: strings.TrimSuffix(s.publicURL, "/"), DefaultIDTag: s.remoteStartDefaultIDTag,
	})
	apiv2.Register(api, db, authenticator)
	n.http = newHTTP(route(n.csms, api), log)
	n.plain = newHTTP(route(n.csms, http.NotFoundHandler()), log)
	if served := n.authority.served; served != nil {
		n.http.TLSConfig = served.config()
	}
	return nil
}

// trustOwn makes our own authority one that lets stations in, where they can come
// with certificates.
func (n *node) trustOwn() error {
	served := n.authority.served
	if served == nil {
		return nil
	}
	if n.settings.tls.signer == signedHere {
		if _, err := n.authority.open(); err != nil {
			return err
		}
	}
	served.ca = filepath.Join(n.authority.data, pki.CertFile)
	r, err := served.read()
	if err == nil {
		served.use(r)
	}
	return err
}

// signer returns who signs certificates of stations, or nil.
func (n *node) signer() csms.Signer {
	if n.settings.tls.signer == signedNowhere {
		return nil
	}
	return n.authority
}

// serveBeside runs, until ctx is done, what a node does beside serving: stations
// without TLS where that was asked for, fresh certificates, the files of days, the
// feed and what webhooks are sent; and forgets what is old. When the disk fails,
// serving does: only a process that begins anew can tell what is on it.
func (n *node) serveBeside(ctx context.Context, fail context.CancelCauseFunc) {
	if n.plainListener != nil {
		n.log.Warn("stations may come without TLS: their passwords cross the network in clear", "address", n.plainListener.Addr())
		n.running.Go(func() {
			if err := n.plain.Serve(n.plainListener); !errors.Is(err, http.ErrServerClosed) {
				fail(fmt.Errorf("serve without TLS: %w", err))
			}
		})
	}
	if n.authority.served != nil {
		n.running.Go(func() { n.authority.served.watch(ctx) })
	}
	if n.daily != nil {
		n.running.Go(func() { n.daily.Run(ctx) })
	}
	n.running.Go(func() {
		select {
		case <-n.db.broken():
			fail(fmt.Errorf("the data folder: %w", n.db.Ready(context.WithoutCancel(ctx))))
		case <-ctx.Done():
		}
	})
	n.running.Go(func() { n.book.Run(ctx, func(err error) { n.log.Error("audit log", "err", err) }) })
	n.running.Go(func() { n.runFeed(ctx) })
	n.running.Go(func() { tidy(ctx, n.csms.OnlineCount, debug.FreeOSMemory) })
	n.running.Go(func() { n.dispatcher.Run(ctx) })
}

// newHTTP returns a server with the limits of serving.
func newHTTP(h http.Handler, log *slog.Logger) *http.Server {
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: readHeaderTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		Protocols: new(http.Protocols),
	}
	srv.Protocols.SetHTTP1(true) // HTTP/2 has no connections to turn into WebSockets
	return srv
}

// route gives stations what begins with /ocpp/, however many slashes a station
// puts where its settings were joined: it follows no redirect.
func route(stations, api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix("/"+strings.TrimLeft(r.URL.Path, "/"), "/ocpp/") {
			stations.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

// reachable returns how a program on this machine reaches a listening address.
func reachable(addr *net.TCPAddr) string {
	if addr == nil {
		return ""
	}
	if addr.IP.IsUnspecified() {
		return fmt.Sprintf("127.0.0.1:%d", addr.Port)
	}
	return addr.String()
}

func (n *node) serveHTTP() error {
	if n.http.TLSConfig != nil {
		return n.http.ServeTLS(n.listener, "", "")
	}
	return n.http.Serve(n.listener)
}

// readiness says what keeps the node from its work.
func (n *node) readiness(ctx context.Context) []string {
	if err := n.db.Ready(ctx); err != nil {
		n.log.Error("storage is not ready", "err", err)
		return []string{"storage"}
	}
	return nil
}

// adminKey makes sure that somebody can administrate, and returns the text of a
// key that was made just now.
func (n *node) adminKey(ctx context.Context) (string, error) {
	given := os.Getenv(adminKeyVariable)
	made, text, err := n.db.registrar.EnsureAdmin(ctx, given)
	if err != nil && given != "" {
		return "", fmt.Errorf("environment variable %s: %w", adminKeyVariable, err)
	}
	if err != nil {
		return "", fmt.Errorf("first key: %w", err)
	}
	if made == nil {
		return "", nil
	}
	if err := n.recordKey(ctx, made); err != nil { // there is no second chance to show the key
		n.log.Error("the first key is not in the audit log", "key", made.ID, "err", err)
	}
	if given != "" {
		return "", nil
	}
	return string(text), nil
}

// recordKey notes in the audit log that the server made an admin key at its start.
func (n *node) recordKey(ctx context.Context, k *auth.KeyRecord) error {
	made, err := json.Marshal(map[string]any{"id": k.ID, "name": k.Name, "scopes": k.Scopes.Names()})
	if err != nil {
		return err
	}
	return n.book.Settle(ctx, commandRecord("leyden serve", n.book.Excerpt(made)), nil, nil)
}

// temporary reports whether the ledger is gone at the end: that of a demo for
// which nobody named a folder, and one in memory.
func (s *serveSettings) temporary() bool {
	return s.store == storeMemory || s.demo > 0 && !s.dataGiven
}

// dataFolder returns the folder to serve from and what to do with it at the end.
func dataFolder(s *serveSettings) (path string, forget func(), err error) {
	if s.temporary() {
		path, err = os.MkdirTemp("", "leyden-serve-")
		if err != nil {
			return "", nil, fmt.Errorf("folder for what is gone at the end: %w", err)
		}
		return path, func() { removeAll(path) }, nil
	}
	if err := os.MkdirAll(s.data, 0o700); err != nil {
		if p, ok := errors.AsType[*os.PathError](err); ok {
			err = p.Err // the path is in the message already
		}
		return "", nil, fmt.Errorf("data folder %s cannot be made: %w; name another with --data", s.data, err)
	}
	return s.data, func() {}, nil
}

func removeAll(path string) {
	if err := os.RemoveAll(path); err != nil {
		slog.Warn("a folder that should be gone stays behind", "path", path, "err", err)
	}
}

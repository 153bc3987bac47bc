package main

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"
	"leyden/auth"
	"leyden/calls"
	"leyden/csms"
	"leyden/rest"
)

// callSettings say how clients of the REST APIs may ask, and how long is kept what
// they asked for.
type callSettings struct {
	limits   rest.Limits
	origins  []string
	auditAge time.Duration
}

func (s *callSettings) flags(f *pflag.FlagSet) {
	d := rest.DefaultLimits()
	f.Float64Var(&s.limits.PerSecond, "limits-requests-per-second", d.PerSecond, "how many requests a second a credential may send in the long run; 0 is no limit")
	f.IntVar(&s.limits.Burst, "limits-burst", d.Burst, "how many requests a credential may send at once")
	f.Float64Var(&s.limits.StrangerPerSecond, "limits-stranger-requests-per-second", d.StrangerPerSecond, "how many requests a second an address may send in the long run without a valid credential; 0 is no limit")
	f.IntVar(&s.limits.StrangerBurst, "limits-stranger-burst", d.StrangerBurst, "how many requests an address may send at once without a valid credential")
	f.IntVar(&s.limits.Lasting, "limits-lasting-requests", d.Lasting, "how many long polls, streams and files a credential may have open; 0 is no limit")
	f.StringSliceVar(&s.origins, "cors-origins", nil, "origins whose scripts may use the REST APIs, e.g. https://console.example.com; * for all; none unless given")
	f.DurationVar(&s.auditAge, "audit-age", calls.DefaultAuditAge, "how long the audit log is kept")
}

const (
	// Rates beyond mostRequests are no limits.
	mostRequests = 1_000_000
	minAuditAge  = 24 * time.Hour
)

func (s *callSettings) check() error {
	for _, origin := range s.origins {
		if !rest.CheckOrigin(origin) {
			return usagef("--cors-origins: %q is no origin; write it as browsers send it, e.g. https://console.example.com", origin)
		}
	}
	l := s.limits
	switch {
	case l.PerSecond < 0 || l.StrangerPerSecond < 0 || l.PerSecond > mostRequests || l.StrangerPerSecond > mostRequests:
		return usagef("--limits-requests-per-second and --limits-stranger-requests-per-second take 0 to %d", mostRequests)
	case l.Burst < 1 || l.StrangerBurst < 1 || l.Burst > mostRequests || l.StrangerBurst > mostRequests:
		return usagef("--limits-burst and --limits-stranger-burst take 1 to %d", mostRequests)
	case l.Lasting < 0:
		return usagef("--limits-lasting-requests must not be negative")
	case s.auditAge < minAuditAge:
		return usagef("--audit-age must be at least 24h")
	}
	return nil
}

// openBook opens the audit log and the kept replies of a data folder. The zero
// age is the usual one.
func (f *folder) openBook(secrets auth.Secrets, auditAge time.Duration) (*calls.Book, error) {
	secret, err := secrets.Derive("calls")
	if err != nil {
		return nil, err
	}
	book, err := calls.NewBook(calls.Config{Store: f, Secret: secret, Mask: csms.Masked, Now: time.Now, AuditAge: auditAge})
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	return book, nil
}

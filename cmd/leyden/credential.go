package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"leyden"
	"leyden/auth"
)

// A credentialFlags says what a key or a client shall be, or how it changes.
type credentialFlags struct {
	name     string
	scopes   []string
	chargers []string
	sites    []string
	all      bool
	expires  string
}

// limitFlags adds the flags that create and change have in common.
func (f *credentialFlags) limitFlags(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&f.chargers, "charger", nil, "limit it to this charger; several with commas, beside the sites of --site")
	cmd.Flags().StringSliceVar(&f.sites, "site", nil, "limit it to the chargers of this site; several with commas")
	cmd.Flags().StringVar(&f.expires, "expires", "", "when it ends: a date, a time (RFC 3339), or how long from now, as 720h; \"never\" for no end")
}

// newFlags adds the flags of a command that makes a credential.
func (f *credentialFlags) newFlags(cmd *cobra.Command) {
	scopeFlag(cmd, &f.scopes)
	f.limitFlags(cmd)
}

// changeFlags adds the flags of a command that changes one.
func (f *credentialFlags) changeFlags(cmd *cobra.Command) {
	f.newFlags(cmd)
	cmd.Flags().Lookup("scope").DefValue = "[]" // what is not given stays as it is
	cmd.Flags().StringVar(&f.name, "name", "", "what it is for")
	cmd.Flags().BoolVar(&f.all, "all-chargers", false, "take its limits to chargers and sites away")
	cmd.MarkFlagsMutuallyExclusive("all-chargers", "charger")
	cmd.MarkFlagsMutuallyExclusive("all-chargers", "site")
}

// spec returns what a new credential shall be.
func (f *credentialFlags) spec(name string) (auth.Spec, error) {
	end, err := endOf(f.expires, time.Now())
	return auth.Spec{Name: name, Scopes: f.scopes, LimitedTo: f.limit(), ExpiresAt: end}, err
}

func (f *credentialFlags) limit() *auth.Limit {
	if len(f.chargers)+len(f.sites) == 0 {
		return nil
	}
	limit := &auth.Limit{Sites: f.sites}
	for _, id := range f.chargers {
		limit.Chargers = append(limit.Chargers, leyden.StationID(id))
	}
	return limit
}

// edit returns what changes of a credential: what was named.
func (f *credentialFlags) edit(cmd *cobra.Command) (auth.Edit, error) {
	e := auth.Edit{LimitedTo: f.limit()}
	if cmd.Flags().Changed("name") {
		e.Name = &f.name
	}
	if cmd.Flags().Changed("scope") {
		e.Scopes = f.scopes
	}
	if f.all {
		e.LimitedTo = &auth.Limit{}
	}
	if cmd.Flags().Changed("expires") {
		end, err := endOf(f.expires, time.Now())
		if err != nil {
			return e, err
		}
		e.ExpiresAt = &end
	}
	if e.Name == nil && e.Scopes == nil && e.LimitedTo == nil && e.ExpiresAt == nil {
		return e, usagef("%s was not told what to change; see --help", cmd.CommandPath())
	}
	return e, nil
}

// endOf reads when something ends; the zero time is never.
func endOf(text string, now time.Time) (time.Time, error) {
	if text == "" || text == "never" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(d), nil
	}
	return parseMoment("--expires", text)
}

// limitText says to what a credential is limited; "" for nothing.
func limitText(l *auth.Limit) string {
	if l == nil {
		return ""
	}
	var parts []string
	for _, site := range l.Sites {
		parts = append(parts, "site "+site)
	}
	for _, id := range l.Chargers {
		parts = append(parts, string(id))
	}
	return strings.Join(parts, ", ")
}

// stateOf says in which state a credential is, and since or until when.
func stateOf(revoked, disabled, expires time.Time) string {
	switch {
	case !revoked.IsZero():
		return "revoked " + moment(revoked)
	case !disabled.IsZero():
		return "disabled " + moment(disabled)
	case !expires.IsZero() && !time.Now().Before(expires):
		return "expired " + moment(expires)
	case !expires.IsZero():
		return "until " + moment(expires)
	}
	return "active"
}

// switchCommand enables or disables credentials of a kind.
func switchCommand(kind, example string, enabled bool, change func(*cobra.Command, []string, auth.Edit) error) *cobra.Command {
	word, short := "enable", fmt.Sprintf("Let a disabled %s in again", kind)
	if !enabled {
		word, short = "disable", fmt.Sprintf("Refuse a %s until it is enabled again", kind)
	}
	return &cobra.Command{
		Use: word + " ID", Short: short, Args: oneArg("the id of the " + kind),
		Example: fmt.Sprintf("  leyden %s %s %s", kind, word, example),
		RunE: func(cmd *cobra.Command, args []string) error {
			return change(cmd, args, auth.Edit{Enabled: &enabled})
		},
	}
}

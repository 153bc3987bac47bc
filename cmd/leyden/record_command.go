package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"leyden"
	"leyden/auth"
	"leyden/calls"
)

// onlyReads reports whether a command changes nothing in the data folder: all
// others are in the audit log.
func onlyReads(cmd *cobra.Command) bool {
	switch strings.TrimPrefix(cmd.CommandPath(), "leyden ") {
	case "audit", "ca show", "check", "client list", "client secrets", "export list", "export transactions", "head", "id-tag export", "id-tag list",
		"key list", "quarantine list", "quarantine show",
		"station audit", "station certificates", "station commands", "station events", "station list",
		"webhook deliveries", "webhook list", "webhook show",
		"transactions export", "transactions follow", "transactions list", "transactions revisions", "transactions show":
		return true
	case "station quirks":
		return !cmd.Flags().Changed("set")
	case "id-tag import":
		return cmd.Flags().Changed("dry-run")
	}
	return false
}

// recorded returns how a command ended, once that is in the audit log. What was
// called wrongly did nothing and is not there.
func (f *folder) recorded(cmd *cobra.Command, args []string, ended error) error {
	_, invalid := errors.AsType[*auth.InvalidError](ended)
	if onlyReads(cmd) || invalid || errors.Is(ended, errUsage) {
		return ended
	}
	book, err := f.openBook(f.config.Secrets, 0)
	if err != nil {
		return errors.Join(ended, err)
	}
	r := commandRecord(cmd.CommandPath(), book.Excerpt(asked(cmd.Flags(), args)))
	if ended != nil {
		r.Status, r.Code = 500, "FAILED"
	}
	ofStation := strings.HasPrefix(cmd.CommandPath(), "leyden station ") || cmd.CommandPath() == "leyden ca issue-station"
	if ofStation && len(args) > 0 {
		r.Station = leyden.StationID(args[0])
	}
	return errors.Join(ended, book.Settle(cmd.Context(), r, nil, nil))
}

// commandRecord returns the record of a command that was carried out.
func commandRecord(command, body string) *calls.Record {
	return &calls.Record{
		At: time.Now(), By: osUser(), Kind: calls.ByCommandLine, From: hostName(), Operation: command, Status: 200, Body: body,
	}
}

// asked returns what a command was told, as JSON.
func asked(flags *pflag.FlagSet, args []string) []byte {
	told := struct {
		Arguments []string          `json:"arguments,omitempty"`
		Flags     map[string]string `json:"flags,omitempty"`
	}{args, map[string]string{}}
	flags.Visit(func(f *pflag.Flag) {
		if f.Name != "data" && f.Name != "key" { // that is a secret, or where one goes
			told.Flags[f.Name] = f.Value.String()
		}
	})
	text, err := json.Marshal(told)
	if err != nil {
		return nil // texts are always JSON
	}
	return text
}

func osUser() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return cmp.Or(os.Getenv("USER"), "uid "+strconv.Itoa(os.Getuid()))
}

func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return "" // it is not told, then
	}
	return name
}

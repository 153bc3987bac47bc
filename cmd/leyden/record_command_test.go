package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestCommandsAreRecorded knows of every command with a data folder whether it is
// in the audit log: whoever adds one decides.
func TestCommandsAreRecorded(t *testing.T) {
	want := map[bool]string{
		true: "audit, check, client list, export transactions, id-tag export, id-tag list, key list, quarantine list, quarantine show, station audit, " +
			"station certificates, station commands, station events, station list, station quirks, transactions export, " +
			"transactions list, transactions show",
		false: "client create, client revoke, id-tag add, id-tag admit, id-tag block, id-tag import, id-tag remove, key create, key revoke, " +
			"quarantine dismiss, quarantine replay, station add, station password, station remove",
	}
	got := map[bool][]string{}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
		path := strings.TrimPrefix(cmd.CommandPath(), "leyden ")
		others := []string{"serve", "simulate", "bench", "frames"}
		if cmd.HasSubCommands() || cmd.InheritedFlags().Lookup("data") == nil && cmd.Flags().Lookup("data") == nil ||
			slices.Contains(others, path) || strings.HasPrefix(path, "ca ") {
			return
		}
		got[onlyReads(cmd)] = append(got[onlyReads(cmd)], path)
	}
	walk(rootCommand())
	for reads, list := range want {
		slices.Sort(got[reads])
		if names := strings.Join(got[reads], ", "); names != list {
			t.Errorf("only reads: %v: got %s\nwant %s", reads, names, list)
		}
	}
}

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
		true: "audit, check, client list, client secrets, export list, export transactions, head, id-tag export, id-tag list, key list, " +
			"quarantine list, quarantine show, station audit, station certificates, station commands, station events, station list, " +
			"station quirks, transactions export, transactions follow, transactions list, transactions revisions, transactions show, " +
			"webhook deliveries, webhook list, webhook show",
		false: "client add-secret, client change, client create, client disable, client enable, client remove-secret, client revoke, " +
			"export run, id-tag add, id-tag admit, id-tag block, id-tag import, id-tag remove, " +
			"key change, key create, key disable, key enable, key revoke, key rotate, quarantine dismiss, quarantine replay, simulate, " +
			"station add, station password, station remove, station site, token rotate-key, " +
			"transactions close, transactions correct, transactions join, transactions revert, " +
			"webhook add, webhook pause, webhook remove, webhook replay, webhook resume, webhook rotate, webhook test",
	}
	got := map[bool][]string{}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
		path := strings.TrimPrefix(cmd.CommandPath(), "leyden ")
		others := []string{"serve", "frames"}
		if cmd.HasSubCommands() || cmd.InheritedFlags().Lookup("data") == nil && cmd.Flags().Lookup("data") == nil ||
			slices.Contains(others, path) || strings.HasPrefix(path, "ca ") || strings.HasPrefix(path, "bench") {
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

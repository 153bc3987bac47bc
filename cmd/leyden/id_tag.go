package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"leyden"
	"leyden/taglist"
)

func idTagCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "id-tag",
		Short: "IdTags: list, add, block, admit, remove, import, export",
		Long: `An idTag says who wants to charge. One that nobody listed is refused, or
accepted under --id-tags open; either way it is remembered, so that it can be
admitted. Changes count at once, also on a running server.`,
		Args: cobra.ArbitraryArgs, RunE: needCommand,
	}
	data := dataFlag(cmd)
	cmd.AddCommand(idTagListCommand(data), idTagAddCommand(data), idTagBlockCommand(data), idTagAdmitCommand(data),
		idTagRemoveCommand(data), idTagImportCommand(data), idTagExportCommand(data))
	return cmd
}

func idTagListCommand(data *string) *cobra.Command {
	var q leyden.TokenQuery
	var seen, blocked bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List idTags, also those that were merely seen",
		Example: "  leyden id-tag list --seen",
		Args:    noArgs,
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, _ []string) error {
			if seen {
				q.Listed = new(false)
			}
			if blocked {
				q.Status = leyden.TokenBlocked
			}
			var tags []leyden.Token
			for t, err := range db.ScanTokens(cmd.Context(), q) {
				if err != nil {
					return err
				}
				tags = append(tags, t)
			}
			return table(cmd.OutOrStdout(), "ID TAG\tSTATUS\tEXPIRES\tGROUP\tMOST\tVEHICLE\tLAST SEEN\tNOTE", tags, func(t leyden.Token) string {
				return join(t.Value, standing(&t), moment(t.Expiry), t.Parent, most(&t), t.VehicleID, moment(t.SeenAt), t.Note)
			})
		}),
	}
	cmd.Flags().BoolVar(&seen, "seen", false, "only those that were merely seen")
	cmd.Flags().BoolVar(&blocked, "blocked", false, "only those that are blocked")
	cmd.Flags().StringVar(&q.Parent, "group", "", "only of this group (parentIdTag)")
	cmd.Flags().StringVar(&q.Text, "search", "", "only with this text in the idTag or the note")
	return cmd
}

// standing is the status of an idTag; one that nobody listed has none.
func standing(t *leyden.Token) string {
	if !t.Listed {
		return "seen"
	}
	return t.Status
}

func most(t *leyden.Token) string {
	if t.MaxActive == 0 {
		return ""
	}
	return strconv.Itoa(t.MaxActive)
}

func idTagAddCommand(data *string) *cobra.Command {
	t := leyden.Token{Status: leyden.TokenAccepted, Listed: true}
	var expires string
	cmd := &cobra.Command{
		Use:     "add IDTAG",
		Short:   "List an idTag: it may charge from now on",
		Example: "  leyden id-tag add USER123 --group FLEET-7 --expires 2030-01-01",
		Args:    oneArg("the idTag"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) (err error) {
			t.Value, t.CreatedAt = args[0], time.Now()
			if t.Expiry, err = parseMoment("--expires", expires); err != nil {
				return err
			}
			if err := checkTag(&t); err != nil {
				return err
			}
			kept, err := db.AddToken(cmd.Context(), t)
			if errors.Is(err, leyden.ErrExists) {
				return fmt.Errorf("idTag %s is listed already; `leyden id-tag admit` and `block` change it, `import` more", t.Value)
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "IdTag %s is listed.\n", kept.Value)
			return nil
		}),
	}
	cmd.Flags().StringVar(&t.Parent, "group", "", "its group (parentIdTag)")
	cmd.Flags().StringVar(&expires, "expires", "", "until when it may charge, e.g. 2030-01-01 or 2030-01-01T12:00:00Z")
	cmd.Flags().IntVar(&t.MaxActive, "most", 0, "how many transactions it, or as a group all its members, may run at once; 0 for any number")
	cmd.Flags().StringVar(&t.VehicleID, "vehicle", "", "the vehicle it belongs to")
	cmd.Flags().StringVar(&t.Note, "note", "", "what you want to remember of it")
	return cmd
}

// checkTag says what is wrong with an idTag in the words of the command line.
func checkTag(t *leyden.Token) error {
	problems := taglist.Check(t)
	if len(problems) == 0 {
		return nil
	}
	first := problems[0]
	name, ok := map[string]string{"parentIdTag": "--group", "maxActiveTransactions": "--most", "note": "--note"}[first.Column]
	if !ok {
		name = first.Column
	}
	return usagef("%s %s; see --help", name, first.Reason)
}

func idTagBlockCommand(data *string) *cobra.Command {
	return &cobra.Command{
		Use:     "block IDTAG",
		Short:   "Refuse an idTag from now on, also one that was never seen",
		Example: "  leyden id-tag block USER123",
		Args:    oneArg("the idTag"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			t, err := db.Token(cmd.Context(), args[0])
			if errors.Is(err, leyden.ErrNotFound) {
				t, err = leyden.Token{Value: args[0], CreatedAt: time.Now()}, checkTag(&leyden.Token{Value: args[0]})
			}
			if err != nil {
				return err
			}
			return changeTag(cmd, db, t, leyden.TokenBlocked)
		}),
	}
}

func idTagAdmitCommand(data *string) *cobra.Command {
	return &cobra.Command{
		Use:     "admit IDTAG",
		Short:   "Accept an idTag that was seen, or was blocked",
		Example: "  leyden id-tag admit USER123",
		Args:    oneArg("the idTag"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			t, err := db.Token(cmd.Context(), args[0])
			if errors.Is(err, leyden.ErrNotFound) {
				return fmt.Errorf("idTag %s was never seen; `leyden id-tag add` lists it", args[0])
			}
			if err != nil {
				return err
			}
			return changeTag(cmd, db, t, leyden.TokenAccepted)
		}),
	}
}

func changeTag(cmd *cobra.Command, db *folder, t leyden.Token, status string) error {
	t.Status, t.Listed = status, true
	if err := db.SaveToken(cmd.Context(), t); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "IdTag %s is %s.\n", shown(t.Value), status)
	return nil
}

func idTagRemoveCommand(data *string) *cobra.Command {
	return &cobra.Command{
		Use:     "remove IDTAG",
		Short:   "Forget an idTag; its transactions stay",
		Example: "  leyden id-tag remove USER123",
		Args:    oneArg("the idTag"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			err := db.RemoveToken(cmd.Context(), args[0], 0)
			if errors.Is(err, leyden.ErrNotFound) {
				return fmt.Errorf("there is no idTag %s; `leyden id-tag list` shows those that there are", args[0])
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "IdTag %s is forgotten.\n", args[0])
			return nil
		}),
	}
}

func idTagImportCommand(data *string) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Add and replace the idTags of a CSV file, all of them or none",
		Long: `Adds the idTags of a CSV file and replaces those that are there, all of them or
none. The first line names the columns, in any order: idTag, status, expiryDate,
parentIdTag, maxActiveTransactions, vehicleId, note. What the file has no column
for stays as it is; an empty cell takes something away. - reads standard input.`,
		Example: "  leyden id-tag import tags.csv --dry-run",
		Args:    oneArg("the file"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			list, err := readInput(cmd, args[0])
			if err != nil {
				return err
			}
			result, err := taglist.Import(cmd.Context(), db, list, time.Now(), dryRun)
			if err != nil {
				return err
			}
			if n := len(result.Problems); n > 0 {
				if dryRun {
					showProblems(cmd.OutOrStdout(), result.Problems)
				}
				first := result.Problems[0]
				return fmt.Errorf("%s: nothing was imported, %d errors; %s: %s; --dry-run shows all", args[0], n, first.Place(), first.Reason)
			}
			would := ""
			if dryRun {
				would = "would be "
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d %sadded, %d changed, %d unchanged.\n", result.Added, would, result.Changed, result.Unchanged)
			return nil
		}),
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would be done, and all that is wrong")
	return cmd
}

func showProblems(w io.Writer, problems []taglist.Problem) {
	for _, p := range problems {
		fmt.Fprintf(w, "%s: %s\n", shown(p.Place()), shown(p.Reason))
	}
}

func readInput(cmd *cobra.Command, file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(cmd.InOrStdin())
	}
	return os.ReadFile(file)
}

func idTagExportCommand(data *string) *cobra.Command {
	var seen bool
	cmd := &cobra.Command{
		Use:     "export [FILE]",
		Short:   "Write the listed idTags as CSV, to a file or to standard output",
		Example: "  leyden id-tag export tags.csv",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("%s takes one argument at most, the file; see %s --help", cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) (err error) {
			out := cmd.OutOrStdout()
			if len(args) == 1 && args[0] != "-" {
				f, createErr := os.Create(args[0])
				if createErr != nil {
					return createErr
				}
				defer func() { err = closing(err, f) }()
				out = f
			}
			return taglist.Write(out, db.ScanTokens(cmd.Context(), leyden.TokenQuery{Listed: new(!seen)}))
		}),
	}
	cmd.Flags().BoolVar(&seen, "seen", false, "those that were merely seen instead: to edit, and to admit by an import")
	return cmd
}

package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"leyden"
	"leyden/apiv1"
	"leyden/feed"
)

// A webhookAction is what a subcommand does with the webhooks of a folder.
type webhookAction func(cmd *cobra.Command, r *feed.WebhookRegistrar, args []string) error

// webhookFolder is where subcommands about webhooks work.
type webhookFolder struct {
	data  *string
	sends webhookSettings
}

func webhookCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "webhook",
		Short: "Webhooks: add, list, show, test, deliveries, replay, rotate, pause, resume, remove",
		Long: `A webhook is a URL that is sent what happens, signed as Standard Webhooks has it.
A running server sees changes within seconds.`,
		Args: cobra.ArbitraryArgs, RunE: needCommand,
	}
	in := &webhookFolder{data: dataFlag(cmd)}
	in.sends.flags(cmd.PersistentFlags())
	cmd.AddCommand(in.addCommand(), in.listCommand(), in.showCommand(), in.testCommand(), in.deliveriesCommand(), in.replayCommand(),
		in.rotateCommand(), in.pauseCommand(), in.resumeCommand(), in.removeCommand())
	return cmd
}

// do makes the action of a subcommand.
func (in *webhookFolder) do(f webhookAction) func(*cobra.Command, []string) error {
	return inFolder(in.data, func(cmd *cobra.Command, db *folder, args []string) error {
		if err := in.sends.check(); err != nil {
			return err
		}
		r, err := db.webhooks(in.sends.guard)
		if err != nil {
			return err
		}
		err = f(cmd, r, args)
		if len(args) > 0 && errors.Is(err, leyden.ErrNotFound) {
			return fmt.Errorf("there is no webhook %s; `leyden webhook list` shows those that there are", args[0])
		}
		return asWebhookFlag(err)
	})
}

const webhookArg = "the id of a webhook, as `leyden webhook list` shows it"

func (in *webhookFolder) addCommand() *cobra.Command {
	spec := feed.WebhookSpec{By: "command line"}
	cmd := &cobra.Command{
		Use:     "add URL",
		Short:   "Add a webhook and show its secret, once",
		Example: "  leyden webhook add https://billing.example.com/leyden --event transaction.started,transaction.stopped",
		Args:    oneArg("the URL that events are sent to"),
		RunE: in.do(func(cmd *cobra.Command, r *feed.WebhookRegistrar, args []string) error {
			spec.URL = args[0]
			w, secret, err := r.Create(cmd.Context(), spec)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "webhook  %s\nsecret   %s\n", w.ID, string(secret))
			fmt.Fprintln(cmd.ErrOrStderr(), "The secret is shown only now: keep it.")
			return nil
		}),
	}
	cmd.Flags().StringSliceVar(&spec.Events, "event", nil, "which events; several with commas, of "+strings.Join(feed.WebhookEvents(), ", ")+"; all without it")
	cmd.Flags().StringVar(&spec.Secret, "secret", "", "what signs, whsec_ and base64 of 24 to 64 bytes; one is made without it")
	cmd.Flags().StringVar(&spec.Description, "description", "", "what it is for")
	return cmd
}

func (in *webhookFolder) listCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the webhooks",
		Example: "  leyden webhook list --data ./data",
		Args:    noArgs,
		RunE: in.do(func(cmd *cobra.Command, r *feed.WebhookRegistrar, _ []string) error {
			list, err := r.Store.Webhooks(cmd.Context())
			if err != nil {
				return err
			}
			tallies, err := r.Store.DeliveryTallies(cmd.Context())
			if err != nil {
				return err
			}
			return table(cmd.OutOrStdout(), "ID\tURL\tEVENTS\tSTATUS\tPENDING\tDEAD\tCREATED\tDESCRIPTION", list, func(w feed.Webhook) string {
				tally := tallies[w.ID]
				return join(w.ID, w.URL, eventsText(&w), webhookStatus(&w), fmt.Sprint(tally.Pending), fmt.Sprint(tally.Dead), day(w.CreatedAt), w.Description)
			})
		}),
	}
}

func eventsText(w *feed.Webhook) string {
	if len(w.Events) == 0 {
		return "all"
	}
	return strings.Join(w.Events, " ")
}

func webhookStatus(w *feed.Webhook) string {
	switch {
	case w.Paused != "":
		return "paused"
	case !w.FailingSince.IsZero():
		return "failing"
	}
	return "active"
}

func (in *webhookFolder) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show ID",
		Short:   "Show a webhook",
		Example: "  leyden webhook show wh_2akzuhfmghx3p3dpxhkbpmo5dw",
		Args:    oneArg(webhookArg),
		RunE: in.do(func(cmd *cobra.Command, r *feed.WebhookRegistrar, args []string) error {
			w, err := r.Store.Webhook(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			tallies, err := r.Store.DeliveryTallies(cmd.Context())
			if err != nil {
				return err
			}
			for _, line := range [][2]string{
				{"id", w.ID}, {"url", w.URL}, {"events", eventsText(&w)}, {"description", w.Description}, {"status", webhookStatus(&w)},
				{"paused", w.Paused}, {"pausedAt", moment(w.PausedAt)}, {"failingSince", moment(w.FailingSince)},
				{"pending", fmt.Sprint(tallies[w.ID].Pending)}, {"dead", fmt.Sprint(tallies[w.ID].Dead)},
				{"oldSecretUntil", moment(w.FormerUntil)}, {"createdBy", w.By}, {"createdAt", moment(w.CreatedAt)}, {"updatedAt", moment(w.UpdatedAt)},
			} {
				fmt.Fprintf(cmd.OutOrStdout(), "%-16s%s\n", line[0], shown(line[1]))
			}
			return nil
		}),
	}
}

func (in *webhookFolder) testCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "test ID",
		Short: "Send a webhook a test, and say what came of it",
		Long: `Send a webhook the event webhook.test from this machine, once, and say what came
of it. It fails when the receiver did not answer with a status of 200 to 299.`,
		Example: "  leyden webhook test wh_2akzuhfmghx3p3dpxhkbpmo5dw",
		Args:    oneArg(webhookArg),
		RunE: in.do(func(cmd *cobra.Command, r *feed.WebhookRegistrar, args []string) error {
			w, err := r.Store.Webhook(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			d := feed.NewDispatcher(feed.DispatcherConfig{
				Store: r.Store, Vault: r.Vault, Sender: sender(in.sends.guard), Now: time.Now, Log: slog.Default(),
			})
			m := apiv1.NewWebhookTest(w.ID, time.Now())
			a, err := d.Test(cmd.Context(), &w, m.ID, m.Body)
			if err != nil {
				return err
			}
			if a.Error != "" {
				return fmt.Errorf("the receiver did not take it: %s", a.Error)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Delivered in %d ms: status %d.\n", a.Duration.Milliseconds(), a.Code)
			return nil
		}),
	}
}

func (in *webhookFolder) deliveriesCommand() *cobra.Command {
	var q feed.DeliveryQuery
	var status string
	var transaction int
	cmd := &cobra.Command{
		Use:     "deliveries ID",
		Short:   "List what a webhook was sent, the newest first",
		Example: "  leyden webhook deliveries wh_2akzuhfmghx3p3dpxhkbpmo5dw --status dead",
		Args:    oneArg(webhookArg),
		RunE: in.do(func(cmd *cobra.Command, r *feed.WebhookRegistrar, args []string) error {
			switch s := feed.DeliveryStatus(status); s {
			case "", feed.DeliveryPending, feed.DeliveryDelivered, feed.DeliveryDead:
				q.Status = s
			default:
				return usagef("--status is pending, delivered or dead, not %q", status)
			}
			if q.Limit < 1 || q.Limit > leyden.MaxWorking {
				return usagef("--limit takes 1 to %d", leyden.MaxWorking)
			}
			if _, err := r.Store.Webhook(cmd.Context(), args[0]); err != nil {
				return err
			}
			q.Webhook, q.Transaction = args[0], leyden.TransactionID(transaction)
			list, _, err := r.Store.Deliveries(cmd.Context(), q)
			if err != nil {
				return err
			}
			return writeDeliveries(cmd.OutOrStdout(), list)
		}),
	}
	cmd.Flags().StringVar(&status, "status", "", "only those: pending, delivered or dead")
	cmd.Flags().StringVar(&q.Event, "event", "", "only of this event")
	cmd.Flags().IntVar(&transaction, "transaction", 0, "only of this transaction")
	cmd.Flags().IntVar(&q.Limit, "limit", 50, "how many at most")
	return cmd
}

func writeDeliveries(w io.Writer, list []feed.Delivery) error {
	return table(w, "ID\tSEQ\tEVENT\tSTATION\tTRANSACTION\tSTATUS\tATTEMPTS\tNEXT\tENDED\tLAST ERROR", list, func(d feed.Delivery) string {
		transaction := ""
		if d.Transaction != 0 {
			transaction = fmt.Sprint(d.Transaction)
		}
		return join(d.ID, fmt.Sprint(d.Seq), d.Event, string(d.Station), transaction, string(d.Status), fmt.Sprint(d.Attempts),
			moment(d.NextAt), moment(d.EndedAt), d.Last().Error)
	})
}

func (in *webhookFolder) replayCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "replay ID [DELIVERY]",
		Short: "Send again what was given up, or one delivery",
		Example: `  leyden webhook replay wh_2akzuhfmghx3p3dpxhkbpmo5dw
  leyden webhook replay wh_2akzuhfmghx3p3dpxhkbpmo5dw dlv_2akzuhfmghx3p3dpxhkbpmo5dw`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 {
				return nil
			}
			return oneArg(webhookArg)(cmd, args)
		},
		RunE: in.do(func(cmd *cobra.Command, r *feed.WebhookRegistrar, args []string) error {
			if _, err := r.Store.Webhook(cmd.Context(), args[0]); err != nil {
				return err
			}
			if len(args) == 2 {
				return replayOne(cmd, r.Store, args[0], args[1])
			}
			all := 0
			for more := true; more; {
				n, left, err := feed.ReplayDead(cmd.Context(), r.Store, feed.DeliveryQuery{Webhook: args[0], Status: feed.DeliveryDead}, time.Now())
				if err != nil {
					return err
				}
				all, more = all+n, left
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d deliveries are sent again.\n", all)
			return nil
		}),
	}
}

func replayOne(cmd *cobra.Command, s feed.WebhookStore, webhook, id string) error {
	d, err := s.Delivery(cmd.Context(), id)
	if errors.Is(err, leyden.ErrNotFound) || err == nil && d.Webhook != webhook {
		return fmt.Errorf("webhook %s has no delivery %s; `leyden webhook deliveries %s` shows those that there are", webhook, id, webhook)
	}
	if err == nil {
		_, err = s.ReplayDelivery(cmd.Context(), id, time.Now())
	}
	if errors.Is(err, leyden.ErrState) {
		return fmt.Errorf("delivery %s is pending: it is sent anyhow", id)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Delivery %s is sent again.\n", id)
	return nil
}

// anybody lets whoever has the folder change a webhook.
func anybody(*feed.Webhook) error { return nil }

func (in *webhookFolder) rotateCommand() *cobra.Command {
	var given string
	cmd := &cobra.Command{
		Use:     "rotate ID",
		Short:   "Give a webhook a new secret and show it, once",
		Long:    "Give a webhook a new secret and show it, once. The old one signs as well for 24 hours.",
		Example: "  leyden webhook rotate wh_2akzuhfmghx3p3dpxhkbpmo5dw",
		Args:    oneArg(webhookArg),
		RunE: in.do(func(cmd *cobra.Command, r *feed.WebhookRegistrar, args []string) error {
			w, secret, err := r.Rotate(cmd.Context(), args[0], given, anybody)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n", string(secret))
			fmt.Fprintf(cmd.ErrOrStderr(), "The secret is shown only now: keep it. The old one signs as well until %s.\n", moment(w.FormerUntil))
			return nil
		}),
	}
	cmd.Flags().StringVar(&given, "secret", "", "the new secret, whsec_ and base64 of 24 to 64 bytes; one is made without it")
	return cmd
}

func (in *webhookFolder) pauseCommand() *cobra.Command {
	return in.pausing("pause", "Stop what a webhook is sent; it is sent later", true)
}

func (in *webhookFolder) resumeCommand() *cobra.Command {
	return in.pausing("resume", "Go on with what a webhook is sent", false)
}

func (in *webhookFolder) pausing(verb, short string, paused bool) *cobra.Command {
	return &cobra.Command{
		Use: verb + " ID", Short: short, Example: "  leyden webhook " + verb + " wh_2akzuhfmghx3p3dpxhkbpmo5dw",
		Args: oneArg(webhookArg),
		RunE: in.do(func(cmd *cobra.Command, r *feed.WebhookRegistrar, args []string) error {
			w, err := r.Change(cmd.Context(), args[0], feed.WebhookEdit{Paused: &paused}, anybody)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Webhook %s is %s.\n", w.ID, webhookStatus(&w))
			return nil
		}),
	}
}

func (in *webhookFolder) removeCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "remove ID",
		Short:   "Forget a webhook and its deliveries",
		Example: "  leyden webhook remove wh_2akzuhfmghx3p3dpxhkbpmo5dw",
		Args:    oneArg(webhookArg),
		RunE: in.do(func(cmd *cobra.Command, r *feed.WebhookRegistrar, args []string) error {
			if err := r.Store.RemoveWebhook(cmd.Context(), args[0], 0); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Webhook %s is removed.\n", args[0])
			return nil
		}),
	}
}

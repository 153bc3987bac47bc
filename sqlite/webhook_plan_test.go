package sqlite

import (
	"strings"
	"testing"

	"leyden/feed"
)

// TestWebhookPlans: a backlog of millions costs a dispatcher no more than a short
// one, and lists of deliveries read an index in their order.
func TestWebhookPlans(t *testing.T) {
	db := mustOpen(t, Options{Path: t.TempDir(), Serve: true})
	list := func(q feed.DeliveryQuery) string { return deliveryList(deliveriesOf(&q)) }
	count := func(q feed.DeliveryQuery) string { return deliveryCount(deliveriesOf(&q)) }
	for _, test := range []struct{ sql, want string }{
		{findDelivery, "(id=?)"},
		{deliveryHeads, "deliveries_due (webhook=?)"},
		{moveUp, "deliveries_in_line (webhook=? AND line=?)"},
		{wakeDeliveries, "COVERING INDEX deliveries_due (webhook=? AND next_at>?)"},
		{oldDeliveries, "deliveries_waiting (webhook=? AND since<?)"},
		{removeDeliveries, "COVERING INDEX deliveries_by_seq (webhook=?)"},
		{forgetDelivered, "deliveries_ended (status=? AND ended_at>? AND ended_at<?)"},
		{forgetDead, "deliveries_ended (status=? AND ended_at>? AND ended_at<?)"},
		{tallyDeliveries, "COVERING INDEX deliveries_pending"},
		{tallyDeliveries, "COVERING INDEX deliveries_dead"},
		{list(feed.DeliveryQuery{Webhook: "W"}), "deliveries_by_seq (webhook=?)"},
		{list(feed.DeliveryQuery{Webhook: "W", Status: feed.DeliveryDelivered}), "deliveries_by_seq (webhook=?)"},
		{list(feed.DeliveryQuery{Webhook: "W", Status: feed.DeliveryPending}), "deliveries_pending (webhook=?)"},
		{list(feed.DeliveryQuery{Webhook: "W", Status: feed.DeliveryDead}), "deliveries_dead (webhook=?)"},
		{list(feed.DeliveryQuery{Webhook: "W", Event: "E"}), "deliveries_by_event (webhook=? AND event=?)"},
		{list(feed.DeliveryQuery{Webhook: "W", Event: "E", Transaction: 1}), "deliveries_by_transaction (webhook=? AND transaction_id=?)"},
		{count(feed.DeliveryQuery{Webhook: "W"}), "COVERING INDEX deliveries_by_seq (webhook=?)"},
	} {
		plan := explain(t, db, test.sql)
		if !strings.Contains(plan, test.want) || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s\nis done by %s; want %s and no sorting", test.sql, plan, test.want)
		}
	}
}

package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"leyden/client"
)

// Reading a list to its end, and acting on a refusal. What docs/api.md shows is
// compiled here.
func Example() {
	ctx := context.Background()
	c := client.New("http://127.0.0.1:8080", client.Key(os.Getenv("LEYDEN_KEY")))
	for t, err := range c.AllTransactions(ctx, client.ListTransactionsQuery{Status: []string{"completed"}}) {
		if err != nil {
			log.Fatal(err)
		}
		if t.EnergyDelivered != nil { // nil: nobody knows
			fmt.Println(t.TransactionID, *t.EnergyDelivered)
		}
	}

	started, err := c.RemoteStart(ctx, "CHARGER-001", client.RemoteStart{ConnectorID: 1, IDTag: "USER123"})
	if refused, ok := errors.AsType[*client.Error](err); ok && refused.Code == "CONNECTOR_NOT_READY" {
		fmt.Println("plug in first:", refused.Message, refused.RequestID)
	}
	fmt.Println(started.TransactionID)
}

// Working through every change, over restarts of either side.
func ExampleClient_Follow() {
	ctx := context.Background()
	c := client.New("http://127.0.0.1:8080", client.Key(os.Getenv("LEYDEN_KEY")))
	var last int64 // what you kept with the work that you did
	for change, err := range c.Follow(ctx, last, client.ListChangesQuery{}) {
		if err != nil {
			log.Fatal(err) // 410 GONE: read the lists anew, then go on from lastSeq
		}
		fmt.Println(change.Event, change.Seq)
		last = change.Seq
	}
}

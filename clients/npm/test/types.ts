// Compiled by `npm run types`, never run.
import { apiKey, Leyden, verifyWebhook, type Transaction } from "leyden-client";

const leyden = new Leyden("http://127.0.0.1:8080", { credential: apiKey("key") });

export async function typed() {
  const list = await leyden.get("/api/v1/transactions", { query: { status: ["completed"], startedFrom: new Date() } });
  const first: Transaction | undefined = list.transactions[0];
  const energy: number | null | undefined = first?.energyDelivered;
  const begun = await leyden.post("/api/v1/transactions/start", { body: { chargeBoxId: "CP1", connectorId: 1 } });
  const id: number = begun.transactionId;
  const events = await leyden.get("/api/v1/transactions/{transactionId}/events", { path: { transactionId: id } });
  for await (const t of leyden.all("/api/v1/transactions")) if (t.transactionId === id) break;
  for await (const t of leyden.all("/v2/transactions")) t satisfies object;
  for await (const e of leyden.follow({ after: 7, query: { events: ["transaction.stopped"] } })) e.seq satisfies number;
  const { headers } = await leyden.send("GET", "/api/v1/transactions/{transactionId}", { path: { transactionId: id } });
  (await verifyWebhook(headers, "{}", "whsec_")).seq satisfies number;
  await leyden.post("/api/v1/id-tags/import", { body: "idTag\nA1\n" });

  // @ts-expect-error there is no such path
  await leyden.get("/api/v1/nothing");
  // @ts-expect-error the path has no such method
  await leyden.delete("/api/v1/transactions");
  // @ts-expect-error its path needs a value
  await leyden.get("/api/v1/transactions/{transactionId}");
  // @ts-expect-error there is no such status
  await leyden.get("/api/v1/transactions", { query: { status: ["over"] } });
  // @ts-expect-error its body needs a connector
  await leyden.post("/api/v1/transactions/start", { body: { chargeBoxId: "CP1" } });
  // @ts-expect-error it is no list
  leyden.all("/healthz");
  return { energy, events };
}

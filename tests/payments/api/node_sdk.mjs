// Drives every client of Woovi's published SDK for the resources that are served. Prints one line of JSON a step.
// node node_sdk.mjs SDK WEB APP_ID PIX_KEY
import http from "node:http";
import crypto from "node:crypto";
import {createRequire} from "node:module";

const [sdk, web, appId, pixKey] = process.argv.slice(2);
const {createClient} = createRequire(import.meta.url)(sdk);
const woovi = createClient({appId, baseUrl: web});
const customer = {name: "Bia Lima", taxID: "52998224725", email: "bia@exemplo.com", phone: "+5511999991234"};
const id = (name) => `${name} #${crypto.randomUUID()} ção %`;
const seen = {};

async function step(name, act) {
  try {
    seen[name] = await act();
    console.log(JSON.stringify({name, ok: true}));
  } catch (error) {
    console.log(JSON.stringify({name, ok: false, error: error?.error ?? error?.message ?? error}));
  }
}

function is(actual, expected, what) {
  if (JSON.stringify(actual) !== JSON.stringify(expected)) throw new Error(`${what}: ${JSON.stringify(actual)}`);
}

async function refused(promise) {
  const answer = await promise.then(() => { throw new Error("not refused"); }, (error) => error);
  if (typeof answer.error !== "string") throw new Error(`no error in ${JSON.stringify(answer)}`);
}

async function until(act) {
  for (const end = Date.now() + 30_000; ;) {
    const found = await act();
    if (found) return found;
    if (Date.now() > end) throw new Error("not in time");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const path = encodeURIComponent;
const call = async (where) => (await fetch(`${web}${where}`, {headers: {Authorization: appId}})).json();

// ── charges ──────────────────────────────────────────────────────────────────
const order = {correlationID: id("pedido"), value: 1000, comment: "Pedido", customer, additionalInfo: [{key: "Pedido", value: "1"}]};
await step("charge.create", async () => {
  const made = await woovi.charge.create(order);
  is(made.correlationID, order.correlationID, "correlationID");
  return made.charge;
});
await step("charge.create again is refused", () => refused(woovi.charge.create(order)));
await step("charge.create return_existing", async () => {
  is((await woovi.charge.create(order, {return_existing: true})).charge.globalID, seen["charge.create"].globalID, "charge");
});
await step("charge.create ten at once", async () => {
  const same = {correlationID: id("corrida"), value: 100};
  const made = await Promise.allSettled(Array.from({length: 10}, () => woovi.charge.create(same, {return_existing: true})));
  const ids = new Set(made.filter((each) => each.status === "fulfilled").map((each) => each.value.charge.globalID));
  is(ids.size, 1, "charges of one correlationID");
});
await step("charge.get", async () => {
  for (const each of [path(order.correlationID), seen["charge.create"].globalID])
    is((await woovi.charge.get({id: each})).charge.value, 1000, "value");
});
await step("charge.get of none is refused", () => refused(woovi.charge.get({id: "none"})));
await step("charge.list", async () => {
  const listed = await woovi.charge.list({limit: 1, skip: 0});
  is([listed.charges.length, listed.pageInfo.hasNextPage], [1, true], "page");
});
await step("charge.delete", async () => {
  const {correlationID} = await woovi.charge.create({correlationID: id("apagar"), value: 5});
  is((await woovi.charge.delete({id: path(correlationID)})).status, "OK", "status");
  await refused(woovi.charge.get({id: path(correlationID)}));
});
await step("charge.getQrCode", async () => {
  const {pathname, search} = new URL(woovi.charge.getQrCode({id: seen["charge.create"].paymentLinkID, size: 600}));
  is((await fetch(web + pathname + search)).headers.get("content-type"), "image/png", "type");
});
await step("a charge is paid", async () => {
  await call(`/openpix/testing?transactionID=${seen["charge.create"].transactionID}`);
  return until(async () => {
    const {charge} = await woovi.charge.get({id: path(order.correlationID)});
    return charge.status === "COMPLETED" && charge;
  });
});

// ── refunds, transactions ────────────────────────────────────────────────────
await step("chargeRefund.create", async () => {
  const asked = {chargeId: path(order.correlationID), correlationID: id("devolucao"), value: 100};
  const first = await woovi.chargeRefund.create(asked);
  is((await woovi.chargeRefund.create(asked)).refund.correlationID, first.refund.correlationID, "the same again");
});
await step("chargeRefund.list", async () => {
  is((await woovi.chargeRefund.list({chargeId: path(order.correlationID)})).refunds.length, 1, "refunds");
});
await step("transactions.list", async () => {
  const {transactions} = await woovi.transactions.list({query: {charge: order.correlationID, type: "PAYMENT"}});
  is(transactions.length, 1, "payments");
  return transactions[0];
});
await step("transactions.get", async () => {
  const {endToEndId} = seen["transactions.list"];
  is((await woovi.transactions.get({id: endToEndId})).transaction.value, 1000, "value");
});
await step("refund.create", async () => {
  const {endToEndId} = seen["transactions.list"];
  return (await woovi.refund.create({transactionEndToEndId: endToEndId, correlationID: id("pix"), value: 50})).refund;
});
await step("refund.get", async () => {
  is((await woovi.refund.get({id: seen["refund.create"].refundId})).pixTransactionRefund.value, 50, "value");
});
await step("refund.list", async () => is((await woovi.refund.list()).refunds.length, 2, "refunds"));

// ── customers, static codes, accounts ────────────────────────────────────────
await step("customer.create", async () => {
  const made = await woovi.customer.create({...customer, taxID: "11144477735", name: "Ana", correlationID: id("ana")});
  is(made.customer.taxID, {taxID: "11144477735", type: "BR:CPF"}, "taxID");
});
await step("customer.get", async () => is((await woovi.customer.get({id: "11144477735"})).customer.name, "Ana", "name"));
await step("customer.list", async () => is((await woovi.customer.list()).customers.length, 2, "customers"));
await step("pixQrCode.create", async () => (await woovi.pixQrCode.create({name: "Balcão", correlationID: id("balcao"), value: 300})).pixQrCode);
await step("pixQrCode.get", async () => {
  is((await woovi.pixQrCode.get({id: path(seen["pixQrCode.create"].correlationID)})).pixQrCode, seen["pixQrCode.create"], "code");
});
await step("pixQrCode.list", async () => is((await woovi.pixQrCode.list()).pixQrCodes.length, 1, "codes"));
await step("a static code is paid", async () => {
  const {identifier} = seen["pixQrCode.create"];
  await call(`/openpix/testing?transactionID=${identifier}`);
  await until(async () => (await woovi.transactions.list({query: {pixQrCode: identifier}})).transactions.length === 1);
});
await step("account.list", async () => (await woovi.account.list()).accounts[0]);
await step("account.get", async () => {
  is((await woovi.account.get({id: seen["account.list"].accountId})).account.isDefault, true, "isDefault");
});

// ── payments ─────────────────────────────────────────────────────────────────
const payment = {correlationID: id("pagamento"), value: 100, destinationAlias: "ana@exemplo.com", destinationAliasType: "EMAIL"};
await step("payment.create", async () => is((await woovi.payment.create(payment)).payment.status, "CREATED", "status"));
await step("payment.create again is refused", () => refused(woovi.payment.create(payment)));
await step("payment.approve", async () => {
  is((await woovi.payment.approve({correlationID: payment.correlationID})).payment.status, "APPROVED", "status");
});
await step("payment.get", async () => is((await woovi.payment.get({id: path(payment.correlationID)})).payment.value, 100, "value"));
await step("payment.list", async () => is((await woovi.payment.list()).payments.length, 1, "payments"));

// ── webhooks: the test call is received, and verified by the server's own key ─
const got = [];
const receiver = http.createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part)).on("end", () => {
    got.push({headers: request.headers, body: Buffer.concat(parts)});
    response.end("ok");
  });
});
await new Promise((resolve) => receiver.listen(0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${receiver.address().port}/hook`;
await step("webhook.create", async () => {
  const made = await woovi.webhook.create({webhook: {name: "sdk", event: "OPENPIX:CHARGE_COMPLETED", url, authorization: "s", isActive: true}});
  is(got.length, 1, "test calls");
  return made.webhook;
});
await step("the signature is right by /webhook/public-keys", async () => {
  const {public_keys: [{key}]} = await call("/api/v1/webhook/public-keys");
  const verify = crypto.createVerify("sha256").update(got[0].body);
  is(verify.verify(key, got[0].headers["x-webhook-signature"], "base64"), true, "signature");
});
await step("webhook.list", async () => {
  is((await woovi.webhook.list({pagination: {limit: 10, skip: 0}, query: {url}})).webhooks.length, 1, "webhooks");
});
await step("webhook.delete", async () => {
  is(Object.keys(await woovi.webhook.delete({id: seen["webhook.create"].id})), ["status"], "answer");
  is((await woovi.webhook.list()).webhooks.length, 0, "webhooks");
});
receiver.close();
await step("what is not served is refused in JSON", () => refused(woovi.subscription.get({id: "1"})));

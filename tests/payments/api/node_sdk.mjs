// Drives every client of Woovi's published SDK for the resources that are served. Prints one line of JSON a step.
// node node_sdk.mjs SDK WEB APP_ID PIX_KEY OTHER_KEY: the last is another company's
import http from "node:http";
import crypto from "node:crypto";
import {createRequire} from "node:module";

const [sdk, web, appId, pixKey, otherKey] = process.argv.slice(2);
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
// What the SDK has no client for, as a merchant would call it.
const call = async (where, method = "GET", body = undefined) => {
  const headers = {Authorization: appId, "Content-Type": "application/json"};
  return (await fetch(`${web}${where}`, {method, headers, body: body && JSON.stringify(body)})).json();
};
const available = async () => (await woovi.account.list()).accounts[0].balance.available;

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
await step("charge.create ten at once, nine refused", async () => {
  const same = {correlationID: id("dez"), value: 100};
  const made = await Promise.allSettled(Array.from({length: 10}, () => woovi.charge.create(same)));
  const lost = made.filter((each) => each.status === "rejected" && typeof each.reason.error === "string");
  is([made.length, lost.length], [10, 9], "answers and refusals");
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
await step("refund.create ten at once", async () => {
  const same = {transactionEndToEndId: seen["transactions.list"].endToEndId, correlationID: id("dez"), value: 10};
  const made = await Promise.all(Array.from({length: 10}, () => woovi.refund.create(same)));
  is(new Set(made.map((each) => each.refund.refundId)).size, 1, "refunds of one correlationID");
});
await step("refund.list", async () => is((await woovi.refund.list()).refunds.length, 3, "refunds"));

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
await step("payment.create ten at once", async () => {
  const same = {...payment, correlationID: id("dez")};
  const made = await Promise.allSettled(Array.from({length: 10}, () => woovi.payment.create(same)));
  is(made.filter((each) => each.status === "fulfilled").length, 1, "payments of one correlationID");
});

// ── sub-accounts, transfers, withdrawals, applications ───────────────────────
const [ana, bia] = ["ana@exemplo.com", "bia@exemplo.com"];
const moved = (value) => ({value, fromPixKey: ana, fromPixKeyType: "EMAIL", toPixKey: bia, toPixKeyType: "EMAIL"});
const balance = async (key) => (await woovi.subAccount.get({id: path(key)})).SubAccount.balance;
await step("subAccount.create", async () => {
  for (const [pixKey, name] of [[ana, "Ana"], [bia, "Bia"], [ana, "Ana"]])
    is((await woovi.subAccount.create({pixKey, name})).SubAccount.balance, 0, "balance");
});
await step("a sub-account is credited", async () => {
  is((await call(`/api/v1/subaccount/${path(ana)}/credit`, "POST", {value: 700})).value, 700, "value");
});
await step("subAccount.debit", async () => is((await woovi.subAccount.debit({id: path(ana), value: 100})).value, 100, "value"));
await step("subAccount.transfer", async () => {
  is((await woovi.subAccount.transfer(moved(200))).destinationSubaccount.balance, 200, "balance");
});
await step("subAccount.transfer of too much is refused", () => refused(woovi.subAccount.transfer(moved(9999))));
await step("subAccount.transfer ten at once", async () => {
  const same = {...moved(5), correlationID: id("repasse")};
  await Promise.all(Array.from({length: 10}, () => woovi.subAccount.transfer(same)));
  is([await balance(ana), await balance(bia)], [395, 205], "balances");
});
await step("subAccount.get", async () => is((await woovi.subAccount.get({id: path(ana)})).SubAccount.pixKey, ana, "key"));
await step("subAccount.list", async () => is((await woovi.subAccount.list()).subAccounts.length, 2, "sub-accounts"));
await step("a sub-account is withdrawn from", async () => {  // by hand: as published, the SDK's own call makes no request
  await woovi.subAccount.withdraw({id: path(ana)}).then(() => { throw new Error("it works now"); }, (error) => is(error.name, "TypeError", "error"));
  const {transaction} = await call(`/api/v1/subaccount/${path(ana)}/withdraw`, "POST", {value: 300});
  is([transaction.status, transaction.value], ["CREATED", 300], "withdrawal");
  is(await balance(ana), 95, "balance");
});
await step("a sub-account has a statement", async () => {
  const lines = await call(`/api/v1/subaccount/${path(bia)}/statement`);
  is(lines.map((line) => line.operationType), ["TRANSFER_CREDIT", "TRANSFER_CREDIT"], "operations");
});
await step("a sub-account is deleted once it is empty", async () => {
  is((await call(`/api/v1/subaccount/${path(bia)}`, "DELETE")).error, "Only subaccount without balance can be removed", "error");
  await woovi.subAccount.debit({id: path(bia), value: 205});
  is(await call(`/api/v1/subaccount/${path(bia)}`, "DELETE"), {status: "OK", pixKey: bia}, "answer");
  await refused(woovi.subAccount.get({id: path(bia)}));
});
await step("transfer.create ten at once", async () => {
  const before = await available(), same = {value: 40, fromPixKey: pixKey, toPixKey: otherKey, correlationID: id("repasse")};
  const made = await Promise.all(Array.from({length: 10}, () => woovi.transfer.create(same)));
  is(made[9].transaction.value, 40, "value");
  is(before - await available(), 40, "paid");
});
await step("account.withdraw", async () => {
  const {accountId} = seen["account.list"];
  const {withdraw} = await woovi.account.withdraw({accountId, value: 150});
  is([withdraw.account.accountId, withdraw.transaction.value], [accountId, 150], "withdrawal");
});
await step("account.withdraw of too little is refused", () => refused(woovi.account.withdraw({accountId: seen["account.list"].accountId, value: 100})));
await step("application.create", async () => {
  const wanted = {accountId: seen["account.list"].accountId, application: {name: "Loja", type: "API", scopes: ["ACCOUNT_GET_LIST"]}};
  const {application} = await woovi.application.create(wanted);
  const theirs = createClient({appId: application.appID, baseUrl: web});
  is((await theirs.account.list()).accounts.length, 1, "accounts");
  await refused(theirs.charge.list());
});

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
await step("a webhook tells of a payment, and is signed", async () => {
  const {charge} = await woovi.charge.create({correlationID: id("aviso"), value: 100});
  await call(`/openpix/testing?transactionID=${charge.transactionID}`);
  const {headers, body} = await until(() => got.find((each) => each.body.includes(charge.transactionID)));
  const {public_keys: keys} = await call("/api/v1/webhook/public-keys");
  const signed = ({key}) => crypto.createVerify("sha256").update(body).verify(key, headers["x-webhook-signature"], "base64");
  is([keys.some(signed), headers.authorization], [true, "s"], "signature and authorization");
  const {hmacSecretKey} = seen["webhook.create"];
  is(headers["x-openpix-signature"], crypto.createHmac("sha1", hmacSecretKey).update(body).digest("base64"), "HMAC");
  const told = JSON.parse(body);
  is([told.event, told.charge.status, told.pix.value], ["OPENPIX:CHARGE_COMPLETED", "COMPLETED", 100], "event");
});
await step("webhook.delete", async () => {
  is(Object.keys(await woovi.webhook.delete({id: seen["webhook.create"].id})), ["status"], "answer");
  is((await woovi.webhook.list()).webhooks.length, 0, "webhooks");
});
receiver.close();
await step("what is not served is refused in JSON", async () => {
  await refused(woovi.subscription.get({id: "1"}));
  await refused(woovi.cashback.get({taxID: "1"}));
  await refused(woovi.partner.listPreRegistration());
  await refused(woovi.accountRegister.get({taxID: "1"}));
});

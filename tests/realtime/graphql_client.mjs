// The real `graphql-ws` client against our server. Arguments: folder with node_modules, and JSON {url, key, wrong, last, kills}.
// Prints one JSON line: {query, codes: {what was done: close code}, seen: [[number, id], …], kills, took}.
import { createRequire } from "node:module";

const require = createRequire(process.argv[2] + "/");
const { createClient } = require("graphql-ws");
const { WebSocket } = require("ws");
const { url, key, wrong, last, kills } = JSON.parse(process.argv[3]);

const once = (client, query, variables) =>
  new Promise((resolve, reject) => client.subscribe({ query, variables }, { next: resolve, error: reject, complete: () => {} }));

// A client whose first message is replaced, by which it breaks one rule; and the code that it is closed with.
function breaking(replaced) {
  return class extends WebSocket {
    send(text) {
      if (!text.includes("connection_init")) return super.send(text);
      for (const each of replaced(text)) super.send(each);
    }
  };
}
const code = async (options) => {
  const client = createClient({ url, retryAttempts: 0, connectionParams: { Authorization: key }, webSocketImpl: WebSocket, ...options });
  try { await once(client, "subscription { events { number } }"); } catch (error) { return error.code ?? String(error); } finally { client.dispose(); }
};
const SUBSCRIBE = JSON.stringify({ id: "1", type: "subscribe", payload: { query: "{ cursor }" } });
const codes = {
  "a wrong key": await code({ connectionParams: { Authorization: wrong } }),
  "no JSON": await code({ webSocketImpl: breaking(() => ["{"]) }),
  "subscribes first": await code({ webSocketImpl: breaking(() => [SUBSCRIBE]) }),
  "says nothing": await code({ webSocketImpl: breaking(() => []) }),
  "begins twice": await code({ webSocketImpl: breaking((text) => [text, text]) }),
};
const twice = createClient({ url, retryAttempts: 0, connectionParams: { Authorization: key }, webSocketImpl: WebSocket, generateID: () => "same" });
codes["the same id"] = await Promise.race([1, 2].map(() => once(twice, "subscription { events { number } }").catch((error) => error.code)));
twice.dispose();

// A client whose socket is torn every so often, and that goes on after the last number that it has seen.
let socket, left = kills, until = 5;
const client = createClient({
  url, webSocketImpl: WebSocket, connectionParams: { Authorization: key }, retryAttempts: Infinity, shouldRetry: () => true,
  retryWait: () => new Promise((resolve) => setTimeout(resolve, 5)), on: { opened: (opened) => { socket = opened; } },
});
const begun = Date.now();
const query = (await once(client, "{ company { tradeName } }")).data;
const seen = [], variables = { after: 0 };
await new Promise((resolve, reject) =>
  client.subscribe({ query: "subscription S($after: EventNumber) { events(after: $after) { number id } }", variables }, {
    next({ data: { events: { number, id } } }) {
      seen.push([number, id]);
      variables.after = number;
      if (number >= last) resolve();
      else if (left > 0 && --until === 0) { left -= 1; until = 1 + (seen.length * 7) % 25; socket.terminate(); }
    },
    error: reject, complete: reject,
  }));
await client.dispose();
const took = Date.now() - begun;
process.stdout.write(JSON.stringify({ query, codes, seen, kills: kills - left, took }) + "\n", () => process.exit(0));

// Many subscribers in one process. Prints "ready" when all are subscribed, then one JSON line of what they got.
// Arguments: folder with node_modules, and JSON: {url, headers, count, expected, query (of GraphQL; none: plain frames)}
import { createRequire } from "node:module";

const require = createRequire(process.argv[2] + "/");
const { WebSocket } = require("ws");
const { url, headers, count, expected, query } = JSON.parse(process.argv[3]);
const mark = Buffer.from('"t":'), escaped = Buffer.from('\\"t\\":');
const late = new Float64Array(expected);
let ready = 0, got = 0, first = 0, last = 0, idle = 0;
const now = () => Number(process.hrtime.bigint()) / 1e6; // the publisher's clock too: Python's time.monotonic()

function seen(text) {
  let at = text.indexOf(mark), skip = 4;
  if (at < 0) { at = text.indexOf(escaped); skip = 6; }
  if (at < 0) return;
  last = now();
  first ||= last;
  const took = last - Number(text.toString("latin1", at + skip, at + skip + 17).replace(/[^\d.].*/, ""));
  if (!(took >= 0 && took < 300_000)) throw new Error(`a frame says that it took ${took} ms: ${text.subarray(0, 80)}`);
  if (got < expected) late[got] = took;
  got += 1;
  if (got === expected) finish();
}
function one() {
  const socket = new WebSocket(url, query ? "graphql-transport-ws" : [], { headers, perMessageDeflate: false });
  socket.on("error", (error) => { console.error(String(error)); process.exit(1); });
  socket.on("close", (code) => { if (ready < count) { console.error("closed with " + code); process.exit(1); } });
  const up = () => { ready += 1; if (ready === count) setTimeout(() => console.log("ready"), query ? 2000 : 500); else if (ready + 19 < count) one(); };
  if (query) {
    socket.on("open", () => socket.send('{"type":"connection_init"}'));
    socket.on("message", (text) => {
      if (text.includes('"connection_ack"')) {
        socket.send(JSON.stringify({ id: "1", type: "subscribe", payload: { query } }));
        up();
      } else seen(text);
    });
  } else {
    socket.on("message", (text) => (text.includes('"hello"') ? up() : seen(text)));
  }
}
function finish() {
  const times = late.slice(0, Math.min(got, expected)).sort();
  const at = (share) => times[Math.floor(share * (times.length - 1))] ?? 0;
  console.log(JSON.stringify({ got, lost: 1 - got / expected, p50: at(0.5), p99: at(0.99), last }));
  process.exit(0);
}
setInterval(() => { if (got && now() - last > 3000) finish(); if (++idle > 120) finish(); }, 1000);
for (let n = 0; n < Math.min(20, count); n += 1) one();

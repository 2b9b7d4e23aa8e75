// Node's rate-limiter-flexible: one JSON line of its figures. Arguments: the folder with node_modules, the Redis socket.
import { createRequire } from "node:module";

const require = createRequire(process.argv[2] + "/");
const Redis = require("ioredis").Redis ?? require("ioredis");
const { RateLimiterRedis, RateLimiterUnion } = require("rate-limiter-flexible");
const storeClient = new Redis(process.argv[3]);
const make = (n) => new RateLimiterRedis({ storeClient, keyPrefix: `bench:flexible:${n}`, points: 1e9, duration: 60 });
const four = [1, 2, 3, 4].map(make);
const union = new RateLimiterUnion(...four);

async function p50(act) {
  const seen = [];
  for (let n = 0; n < 3000; n++) {
    const began = performance.now();
    await act();
    seen.push(1000 * (performance.now() - began));
  }
  return seen.sort((a, b) => a - b)[1500];
}

const one = await p50(() => four[0].consume("me"));
const inTurn = await p50(async () => { for (const each of four) await each.consume("me"); });
const together = await p50(() => union.consume("me"));
console.log(JSON.stringify({ one, inTurn, together }));
storeClient.disconnect();

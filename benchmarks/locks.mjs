// Node's lock libraries: one JSON line of their figures. Arguments: the folder with node_modules, the Redis socket.
import { createRequire } from "node:module";

const require = createRequire(process.argv[2] + "/");
const Redis = require("ioredis").Redis ?? require("ioredis");
const redis = new Redis(process.argv[3]);
const four = require("redlock");
const five = require("@sesamecare-oss/redlock").Redlock;
const patient = { retryCount: 100000 };
const libraries = {
  redlock: (keys) => redlock4.lock(keys, 10000),
  "@sesamecare-oss/redlock": (keys) => redlock5.acquire(keys, 10000),
};
const redlock4 = new (four.default ?? four)([redis], patient);
const redlock5 = new five([redis], patient);
const release = (lock) => (lock.release ? lock.release() : lock.unlock());
const at = (seen, share) => seen.sort((a, b) => a - b)[Math.floor(share * (seen.length - 1))];

async function uncontended(take, keys) {
  const seen = [];
  for (let n = 0; n < 3000; n++) {
    const began = performance.now();
    await release(await take(keys));
    seen.push(1000 * (performance.now() - began));
  }
  return at(seen, 0.5);
}

async function contended(take) {
  const waits = [];
  const began = performance.now();
  await Promise.all(Array.from({ length: 16 }, async () => {
    for (let n = 0; n < 50; n++) {
      const asked = performance.now();
      const lock = await take(["{bench}:hot"]);
      waits.push(performance.now() - asked);
      await redis.get("{bench}:v");
      await new Promise((done) => setTimeout(done, 1));
      await redis.set("{bench}:v", 1);
      await release(lock);
    }
  }));
  return { rate: 800000 / (performance.now() - began), p99: at(waits, 0.99) };
}

const found = {};
for (const [name, take] of Object.entries(libraries)) {
  const one = await uncontended(take, ["{bench}:1"]);
  const two = await uncontended(take, ["{bench}:1", "{bench}:2"]);
  found[name] = { one, two, ...(await contended(take)) };
}
console.log(JSON.stringify(found));
redis.disconnect();

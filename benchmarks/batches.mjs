// BullMQ with pg: a job a row, each one INSERT and one UPDATE of the one account, in a transaction.
// Arguments: the folder with node_modules, the Redis socket, the PostgreSQL address, how many rows. Prints seconds.
import { createRequire } from "node:module";

const require = createRequire(process.argv[2] + "/");
const { Queue, Worker } = require("bullmq");
const { Pool } = require("pg");
const rows = Number(process.argv[5]);
const redis = { path: process.argv[3], maxRetriesPerRequest: null };
const pool = new Pool({ connectionString: process.argv[4], max: 20 });
const name = `bench-${process.pid}`;

async function pay(job) {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    await client.query("INSERT INTO bare_payout (id, value) VALUES ($1, $2)", [job.data.id, 100]);
    await client.query("UPDATE bare_payout_account SET posted = posted - $1 WHERE id = 1", [100]);
    await client.query("COMMIT");
  } finally {
    client.release();
  }
}

const queue = new Queue(name, { connection: redis });
const jobs = Array.from({ length: rows }, (_, n) => ({ name: "pay", data: { id: `${name}-${n}` } }));
const began = performance.now();
await queue.addBulk(jobs);
let done = 0;
await new Promise((resolve, reject) => {
  const worker = new Worker(name, pay, { connection: redis, concurrency: 20 });
  worker.on("completed", () => ++done === rows && resolve());
  worker.on("failed", (_, error) => reject(error));
});
console.log((performance.now() - began) / 1000);
await queue.obliterate({ force: true });
process.exit(0);

// Node's servers: `ws` or `graphql-ws`, each told by Redis pub/sub. Arguments: folder with node_modules, Redis socket, kind.
import { createRequire } from "node:module";
import { createServer } from "node:http";

const require = createRequire(process.argv[2] + "/");
const { WebSocketServer, WebSocket } = require("ws");
const Redis = require("ioredis").Redis ?? require("ioredis");
const http = createServer((request, response) => response.end(String(process.memoryUsage().rss)));

if (process.argv[4] === "graphql-ws") {
  const { useServer } = require("graphql-ws/use/ws");
  const { buildSchema } = require("graphql");
  const { RedisPubSub } = require("graphql-redis-subscriptions");
  const pubsub = new RedisPubSub({ publisher: new Redis(process.argv[3]), subscriber: new Redis(process.argv[3]) });
  const schema = buildSchema("type Query { a: Int } type Event { seq: Int! topic: String! data: String! } type Subscription { events: Event! }");
  schema.getSubscriptionType().getFields().events.subscribe = () => pubsub.asyncIterableIterator("bench");
  schema.getSubscriptionType().getFields().events.resolve = (event) => event;
  useServer({ schema }, new WebSocketServer({ server: http, path: "/graphql" }));
} else {
  const sockets = new WebSocketServer({ server: http });
  sockets.on("connection", (socket) => socket.send('{"type":"hello"}'));
  const redis = new Redis(process.argv[3]);
  redis.subscribe("bench");
  redis.on("message", (_, text) => {
    for (const socket of sockets.clients) if (socket.readyState === WebSocket.OPEN) socket.send(text);
  });
}
http.listen(0, "127.0.0.1", () => console.log(http.address().port));

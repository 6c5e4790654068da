// SPDX-License-Identifier: Apache-2.0
// Sends what a service would by hot-shots: node send.js PORT
const StatsD = require("hot-shots");

const client = new StatsD({
	host: "127.0.0.1", port: Number(process.argv[2]), prefix: "hs.", maxBufferSize: 1400,
	globalTags: { env: "test" },
});
for (let i = 0; i < 500; i++) {
	client.increment("orders", 1, { shop: "a-b", "tag.with.dots": "x" });
	client.increment("sampled", 1, 0.5);
	client.timing("latency", i % 100);
	client.distribution("size", 0.25);
	client.histogram("depth", 2);
	client.set("users", `user-${i % 40}`);
}
client.gauge("level", 42.5);
client.gaugeDelta("level", -2.5);
client.decrement("refused");
client.event("deploy", "an event is no metric");
client.check("db", client.CHECKS.OK, { hostname: "h" });
client.close(() => process.exit(0));

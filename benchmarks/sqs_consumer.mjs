// npm's sqs-consumer doing what the other clients of the benchmark do: node sqs_consumer.mjs PORT SECONDS RECEIVES
import { SQSClient } from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { Agent } from "node:http";

const WARM_UP_SECONDS = 1.5;
const [port, seconds, receives] = process.argv.slice(2).map(Number);
const sqs = new SQSClient({
  region: "us-east-1",
  endpoint: `http://127.0.0.1:${port}`,
  credentials: { accessKeyId: "test", secretAccessKey: "test" },
  requestHandler: new NodeHttpHandler({ httpAgent: new Agent({ keepAlive: true, maxSockets: 4 * receives }) }),
});
let messages = 0;
// A consumer has one receive at a time, so there are as many consumers.
const consumers = Array.from({ length: receives }, () => {
  const consumer = Consumer.create({
    queueUrl: `http://127.0.0.1:${port}/000000000000/orders`,
    sqs,
    batchSize: 10,
    waitTimeSeconds: 20,
    attributeNames: ["All"],
    messageAttributeNames: ["All"],
    handleMessageBatch: async (batch) => batch,
  });
  consumer.on("error", (error) => { console.error(error); process.exit(1); });
  consumer.on("response_processed", () => { messages += 10; });
  return consumer;
});
for (const consumer of consumers) consumer.start();
await new Promise((resolve) => setTimeout(resolve, WARM_UP_SECONDS * 1000));
const [before, cpu, wall] = [messages, process.cpuUsage(), performance.now()];
await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const used = process.cpuUsage(cpu);
console.log(JSON.stringify({
  messages: messages - before,
  cpu_seconds: (used.user + used.system) / 1e6,
  wall_seconds: (performance.now() - wall) / 1e3,
}));
process.exit(0);

// Sends messages with node-hl7-client: `node client.js PORT FILE batch|single`; FILE is a JSON list of messages.
// Prints a JSON line for each acknowledgement: {"code": MSA-1, "id": MSA-2}. It sends one after the other, because this client
// takes only the first acknowledgement of what one read brings; so it also does of a batch.
const fs = require("fs");
const { Client, Message, Batch } = require("node-hl7-client");

const [port, file, how] = process.argv.slice(2);
const texts = JSON.parse(fs.readFileSync(file, "utf8"));

let arrived = () => {};
const client = new Client({ host: "127.0.0.1" });
const connection = client.createConnection({ port: Number(port), waitAck: true }, async (response) => {
  const message = response.getMessage();
  console.log(JSON.stringify({ code: message.get("MSA.1").toString(), id: message.get("MSA.2").toString() }));
  arrived();
});

async function exchange(what) {
  const answer = new Promise((resolve) => { arrived = resolve; });
  await connection.sendMessage(what);
  await answer;
}

(async () => {
  const messages = texts.map((text) => new Message({ text }));
  if (how === "batch") {
    const batch = new Batch();
    batch.start();
    for (const message of messages) batch.add(message);
    batch.end();
    await exchange(batch);
  } else {
    for (const message of messages) await exchange(message);
  }
  await connection.close();
  process.exit(0);
})();

// Takes messages with node-hl7-server: `node server.js PORT`. Prints "listening", then each message's MSH-10 as a line
// {"id": …}; messages whose MSH-10 ends with "AE" are answered so, all others with AA.
const { Server } = require("node-hl7-server");

const server = new Server({ bindAddress: "127.0.0.1" });
const inbound = server.createInbound({ port: Number(process.argv[2]) }, async (request, response) => {
  const id = request.getMessage().get("MSH.10").toString();
  console.log(JSON.stringify({ id }));
  await response.sendResponse(id.endsWith("AE") ? "AE" : "AA");
});
inbound.on("listen", () => console.log("listening"));

// Runs rows through a node in Node-RED itself: node node_red.cjs NODE-RED USER-FOLDER TYPE ROWS.json
// The user's folder has the package in its node_modules. Prints one line of JSON: the results, the errors, the node's page.
const fs = require("fs");
const http = require("http");
const [path, userDir, type, rows] = process.argv.slice(2);
const RED = require(path);
const flow = [
  { id: "tab", type: "tab", label: "test" },
  { id: "model", z: "tab", type, name: "", wires: [["end"]] },
  { id: "end", z: "tab", type: "debug", active: false, tosidebar: false, wires: [] },
];
fs.writeFileSync(`${userDir}/flows.json`, JSON.stringify(flow));
RED.init(http.createServer(), {
  userDir, flowFile: "flows.json", httpAdminRoot: false, httpNodeRoot: false, credentialSecret: false,
  logging: { console: { level: "fatal" } }, telemetry: { enabled: false, updateNotification: false },
  contextStorage: { default: { module: "localfilesystem", config: { flushInterval: 1 } } },
});
const results = [];
const errors = [];
// NaN and infinities are told apart from null
const spelled = (key, value) => (typeof value === "number" && !Number.isFinite(value) ? String(value) : value);
RED.hooks.add("onSend", (events) => events.forEach(({ source, msg }) => source.id === "model" && results.push(msg.payload)));
let complete = 0;
RED.hooks.add("onComplete", ({ msg, node, error }) => {
  if (node.id === "model") {
    errors[Number(msg._msgid)] = error ? error.message : null;
    complete += 1;
  }
});
const wait = (until) => new Promise((resolve) => {
  const look = () => (until() ? resolve() : setTimeout(look, 20));
  look();
});
(async () => {
  await RED.start();
  await wait(() => RED.nodes.getNode("model"));
  const messages = JSON.parse(fs.readFileSync(rows, "utf8"));
  messages.forEach((message, i) => RED.nodes.getNode("model").receive({ ...message, _msgid: String(i) }));
  await wait(() => complete === messages.length);
  const page = await RED.runtime.nodes.getNodeConfig({ id: `${type}/${type}`, lang: "en-US" });
  await RED.stop();
  process.stdout.write(JSON.stringify({ results, errors, page }, spelled) + "\n", () => process.exit(0));
})().catch((error) => {
  process.stderr.write(`${error.stack}\n`, () => process.exit(1));
});

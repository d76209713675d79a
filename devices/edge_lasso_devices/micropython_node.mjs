// Runs a script under MicroPython's WebAssembly port: node micropython_node.mjs PORT.mjs SCRIPT.py
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [port, script] = process.argv.slice(2);
const { loadMicroPython } = await import(pathToFileURL(port).href);
const lines = [];
const micropython = await loadMicroPython({ heapsize: 8 * 1024 * 1024, stdout: (line) => lines.push(line), linebuffer: true });
let failed = false;
try {
  micropython.runPython(readFileSync(script, "utf8"));
} catch (error) {
  process.stderr.write(`${error.message ?? error}\n`);
  failed = true;
}
process.stdout.write(lines.map((line) => `${line}\n`).join(""));
process.exitCode = failed ? 1 : 0;

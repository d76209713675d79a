// Runs a script under MicroPython's WebAssembly port: node micropython_node.mjs PORT.mjs SCRIPT.py
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [port, script] = process.argv.slice(2);
const { loadMicroPython } = await import(pathToFileURL(port).href);
const written = []; // bytes, so that a last line without an end is not lost
const micropython = await loadMicroPython({ heapsize: 8 * 1024 * 1024, stdout: (data) => written.push(data), linebuffer: false });
let failed = false;
try {
  micropython.runPython(readFileSync(script, "utf8"));
} catch (error) {
  process.stderr.write(`${error.message ?? error}\n`);
  failed = true;
}
process.stdout.write(Buffer.concat(written));
process.exitCode = failed ? 1 : 0;

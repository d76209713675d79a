// Calls one function on a simulated RP2040: node rp2040_harness.mjs RP2040JS_INDEX < job.json > answer.json
// job: {sections: [[address, hex]], buffers: [[address, hex]], arguments: [..], entry, stack, back, limit}
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { RP2040 } = await import(pathToFileURL(process.argv[2]).href);
const job = JSON.parse(readFileSync(0, "utf8"));
const ram = 0x20000000;
const chip = new RP2040();
const core = chip.core;
chip.logger = { debug() {}, info() {}, warn() {}, error() {} };
for (const [address, hex] of [...job.sections, ...job.buffers]) chip.sram.set(Buffer.from(hex, "hex"), address - ram);
job.arguments.forEach((value, index) => (core.registers[index] = value >>> 0));
core.SP = job.stack;
core.LR = job.back | 1;
core.PC = job.entry & ~1;
const before = core.cycles;
let instructions = 0;
let lowest = job.stack;
let fault = null;
try {
  while (core.PC !== job.back && instructions < job.limit) {
    core.executeInstruction();
    instructions++;
    if (core.SP < lowest) lowest = core.SP;
    if (core.PC < ram || core.PC >= ram + chip.sram.length) throw new Error(`jumped to 0x${core.PC.toString(16)}`);
  }
} catch (error) {
  fault = String(error.message ?? error);
}
const word = (value) => Buffer.from(Uint32Array.of(value).buffer).toString("hex");
process.stdout.write(
  JSON.stringify({
    fault,
    returned: core.PC === job.back,
    instructions,
    cycles: core.cycles - before,
    stack: job.stack - lowest,
    raw: word(core.registers[0]) + word(core.registers[1]),
    buffers: job.buffers.map(([address, hex]) =>
      Buffer.from(chip.sram.subarray(address - ram, address - ram + hex.length / 2)).toString("hex")),
  }),
);

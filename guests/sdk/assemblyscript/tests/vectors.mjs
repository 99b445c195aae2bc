// Runs vectors.ts, compiled, on the golden messages: node vectors.mjs MODULE VECTORS
import { readFileSync } from "node:fs";

const [module, file] = process.argv.slice(2);
const text = (at) => {
  const size = new Uint32Array(memory.buffer, at - 4, 1)[0];
  return new TextDecoder("utf-16le").decode(new Uint8Array(memory.buffer, at, size));
};
const { instance } = await WebAssembly.instantiate(readFileSync(module), {
  env: { abort: (message) => { throw new Error(message ? text(message) : "abort"); } },
});
const { memory, allocate, request, batch, response, buffers, _initialize } = instance.exports;
_initialize?.();

let passed = 0, failed = 0;
const check = (name, got, want) => {
  if (got === want) return passed++;
  failed++;
  console.log(`FAIL ${name}\n got ${got}\nwant ${want}`);
};

let vector;
for (const line of readFileSync(file, "utf8").split("\n")) {
  if (!line || line.startsWith("#")) continue;
  const space = line.indexOf(" "), word = space < 0 ? line : line.slice(0, space), rest = line.slice(word.length + 1);
  if (word === "vector") vector = { name: rest, fields: "" };
  else if (["doc", "kind", "expect", "hex"].includes(word)) vector[word] = rest;
  else if (word !== "end") vector.fields += line + "\n";
  else run(vector);
}

function run(v) {
  const message = Buffer.from(v.hex === "-" ? "" : v.hex, "hex");
  const place = () => { // at the very end of a block: what lies behind is not the message
    const at = allocate(message.length || 1);
    new Uint8Array(memory.buffer, at, message.length).set(message);
    return at;
  };
  if (v.kind === "request" || v.kind === "batch") {
    const got = text((v.kind === "request" ? request : batch)(place(), message.length));
    check(v.name, got, v.expect + "\n" + v.fields);
  } else if (v.kind === "response" && v.expect === "ok") {
    // Addresses are the allocator's, so only the numbers are compared here.
    const field = (name) => v.fields.match(new RegExp(`^${name} (.*)$`, "m"))[1];
    const [items, count] = field("items-at").split(" ").map(Number), out = allocate(72);
    response(out, Number(field("code")), BigInt(field("expires")), items, count);
    const want = Uint8Array.from(message.subarray(0, 72));
    want.fill(0, 8, 40);
    want.fill(0, 64, 72);
    check(v.name, Buffer.from(new Uint8Array(memory.buffer, out, 72)).toString("hex"), Buffer.from(want).toString("hex"));
  }
}
for (const lengths of [[0, 0, 0], [5, 2, 10], [-1, 1, -1], [100000, -1, 0]]) check(`buffers ${lengths}`, buffers(allocate(72), ...lengths), 1);
if (passed + failed < 55) check("number of vectors", passed + failed, "at least 55");
console.log(`assemblyscript: ${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);

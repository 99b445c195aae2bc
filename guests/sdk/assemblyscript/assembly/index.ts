/**
 * Write a state store for the wasmstate runtime in AssemblyScript.
 *
 *   import { Code, Request, Response, serve, Store } from "wasmstate/assembly";
 *   export * from "wasmstate/assembly/exports";
 *   export * from "wasmstate/assembly/optional"; // if the store offers more than get, set and delete
 *
 *   class MyStore extends Store { … }
 *   serve(new MyStore());
 *
 * What the operator may grant is in files of its own, so that it costs nothing
 * where it is not used: "wasmstate/assembly/kv", "http", "tcp" and "settings"
 * (secrets, configuration, metrics), with "message" for what they send.
 *
 * Nothing here throws for what a client does: operations return a Code. A throw
 * or a failed assertion ends the instance, and its message is in the log.
 */
export { Bytes, compare, compareBytes, hash, hex64, startsWith } from "./bytes";
export { Batch, Code, Pairs, Request, Response } from "./codec";
export { Level, log, now, random64, randomFill } from "./host";
export { serve } from "./serve";
export { Page, Store } from "./store";

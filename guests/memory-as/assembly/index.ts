// memory-as: a store that keeps everything in the instance: a hash table with
// etags, expiry, transactions, ordered listing, and hand-over at a reload.
import { MemoryStore } from "./store";
import { serve } from "../../sdk/assemblyscript/assembly";

export * from "../../sdk/assemblyscript/assembly/exports";
export * from "../../sdk/assemblyscript/assembly/optional";

serve(new MemoryStore());

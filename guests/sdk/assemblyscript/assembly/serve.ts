// The store that the exports serve.
import { Store } from "./store";

let served: Store | null = null;

/** Announces the module's store; once, at the top level of the module. */
export function serve(store: Store): void {
  served = store;
}

/** The store; for the kit. */
export function theStore(): Store {
  if (!served) throw new Error("serve was not called");
  return served!;
}

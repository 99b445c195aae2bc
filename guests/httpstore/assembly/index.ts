// httpstore: keeps values in a REST service, one resource for each key.
import { HTTPStore } from "./store";
import { serve } from "../../sdk/assemblyscript/assembly";

export * from "../../sdk/assemblyscript/assembly/exports";
export * from "../../sdk/assemblyscript/assembly/optional"; // bulk operations

serve(new HTTPStore());

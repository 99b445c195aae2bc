// A store that fails as programs do, for guests/assemblyscript_test.go.
import { Code, log, Level, Request, Response, serve, Store } from "../assembly";

export * from "../assembly/exports";

class Throws extends Store {
  get(req: Request, resp: Response): Code {
    throw new Error("the answer is missing");
  }

  set(req: Request, resp: Response): Code {
    log(Level.Info, "set ключ");
    resp.message = "no room for ключ";
    return Code.Quota;
  }

  delete(req: Request, resp: Response): Code {
    return req.key[req.key.length] ? Code.OK : Code.Internal; // one too far
  }
}

serve(new Throws());

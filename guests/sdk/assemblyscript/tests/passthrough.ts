// A store over all that the kit can ask of the host: kv keeps the values, every
// second operation by a bulk call; configuration names the bucket; reads are
// counted; ping talks to a server. guests/assemblyscript_test.go runs it.
import { Batch, Code, Page, Request, Response, serve, Store } from "../assembly";
import { Bucket, Feature } from "../assembly/kv";
import { Ask, copyBytes, Reply } from "../assembly/message";
import { config, count, observe } from "../assembly/settings";
import { Connection } from "../assembly/tcp";

export * from "../assembly/exports";
export * from "../assembly/optional";

class Passthrough extends Store {
  private data: Bucket | null = null;
  private echo: string = "";
  private odd: bool = false;

  init(properties: Batch, resp: Response): Code {
    const label = config("label"), echo = config("echo");
    if (!label || !echo || config("other") != null) return Code.InvalidArgument;
    if (new Bucket("other").code != Code.Permission) return Code.Internal;
    const data = new Bucket(label);
    if (data.code != Code.OK) return data.code;
    if (!data.has(Feature.ETag) || !data.has(Feature.Transactional)) return Code.Unsupported;
    this.data = data;
    this.echo = echo;
    return Code.OK;
  }

  get(req: Request, resp: Response): Code {
    const r = this.turn() ? this.data!.get(ask(req)) : first(this.data!.bulkGet([ask(req)]));
    resp.value = r.value;
    resp.expiresMs = r.expiresMs;
    if (r.contentType.byteLength) resp.contentType = r.contentType;
    if (count("reads") != Code.OK || observe("bytes", <f64>r.value.byteLength) != Code.OK) return Code.Internal;
    return this.passOn(r, resp);
  }

  set(req: Request, resp: Response): Code {
    return this.passOn(this.turn() ? this.data!.set(ask(req)) : first(this.data!.bulkWrite([ask(req)])), resp);
  }

  delete(req: Request, resp: Response): Code {
    const a = ask(req);
    a.isDelete = this.turn(); // a flag of batches only
    if (!a.isDelete) return this.passOn(this.data!.delete(a), resp);
    return this.passOn(first(this.data!.bulkWrite([a])), resp);
  }

  transact(ops: Batch, resp: Response): Code {
    const all: Ask[] = [];
    for (let i = 0; i < ops.length; i++) all.push(ask(ops.at(i)));
    const r = this.data!.transact(all);
    ops.failed = r.number;
    return this.passOn(r, resp);
  }

  keys(req: Request, page: Page, resp: Response): Code {
    const r = this.data!.keys(ask(req));
    for (let i = 0; i < r.items.length; i++) page.addKey(r.items[i].key);
    if (r.key.byteLength) page.next = r.key;
    return this.passOn(r, resp);
  }

  ping(resp: Response): Code {
    const c = Connection.connect(this.echo);
    if (c.code != Code.OK) return c.code;
    c.write(String.UTF8.encode("hello"));
    let text = "";
    while (c.code == Code.OK && text.length < 5) {
      const part = c.read(2);
      if (!part.byteLength) break;
      text += String.UTF8.decode(part);
    }
    const code = c.code;
    c.close();
    return code != Code.OK ? code : text == "hello" ? Code.OK : Code.Corrupt;
  }

  private turn(): bool {
    return (this.odd = !this.odd);
  }

  private passOn(r: Reply, resp: Response): Code {
    if (r.code != Code.OK) resp.message = String.UTF8.decode(r.message);
    else if (r.etag.byteLength) resp.etag = r.etag;
    return r.code;
  }
}

function first(r: Reply): Reply {
  return r.code == Code.OK ? r.items[0] : r;
}

function ask(req: Request): Ask {
  const a = new Ask();
  a.key = copyBytes(req.key);
  a.value = copyBytes(req.value);
  a.etag = copyBytes(req.etag);
  a.contentType = copyBytes(req.contentType);
  a.ttlMs = req.ttlMs;
  a.limit = req.limit;
  a.firstWrite = req.firstWrite;
  a.isDelete = req.isDelete;
  return a;
}

serve(new Passthrough());

import { Batch, Code, Request, Response, Store } from "../../sdk/assemblyscript/assembly";
import { Exchange } from "../../sdk/assemblyscript/assembly/http";
import { copyBytes } from "../../sdk/assemblyscript/assembly/message";
import { secret, wipe } from "../../sdk/assemblyscript/assembly/settings";
import { escape, plain, quoted, unquoted } from "./text";

/** Keeps values at <url>/<key>: README.md says what the service has to do. */
export class HTTPStore extends Store {
  private url: string = "";
  private token: string = "";

  init(properties: Batch, resp: Response): Code {
    const url = properties.metadata.get("url");
    if (!url) {
      resp.message = "the property url is missing: where the values are, such as https://values.example/v1";
      return Code.InvalidArgument;
    }
    if (url.includes("?") || url.includes("#")) {
      resp.message = "the property url has a query or a fragment: a key is appended to its path";
      return Code.InvalidArgument;
    }
    this.url = url.endsWith("/") ? url : url + "/";
    const token = properties.metadata.get("token");
    if (token) {
      const value = secret(token);
      if (!value) {
        resp.message = "the secret " + token + " was not granted or does not exist: sandbox: {secrets: …}";
        return Code.Permission;
      }
      this.token = String.UTF8.decode(value);
      wipe(value);
    }
    return Code.OK;
  }

  get(req: Request, resp: Response): Code {
    const x = this.exchange("GET", escape(req.key), req.deadlineMs);
    if (x.response() != Code.OK) return this.broken(x, resp);
    if (x.status != 200) return this.refused(x, resp, false);
    const body = x.readAll();
    if (x.code != Code.OK) return this.broken(x, resp);
    const etag = x.responseHeader("etag");
    if (!etag) {
      resp.message = "the service answers without an ETag";
      return Code.Corrupt;
    }
    resp.value = body;
    resp.etag = String.UTF8.encode(unquoted(etag));
    if (x.contentType.length && x.contentType != untyped) resp.contentType = String.UTF8.encode(x.contentType);
    x.close();
    return Code.OK;
  }

  set(req: Request, resp: Response): Code {
    if (req.ttlMs) return Code.Unsupported;
    if (!plain(req.etag)) return Code.ETagInvalid;
    const x = this.exchange("PUT", escape(req.key), req.deadlineMs);
    x.body(req.contentType.length ? req.contentType.toString() : untyped, copyBytes(req.value));
    if (req.etag.length) x.header("If-Match", quoted(req.etag));
    else if (req.firstWrite) x.header("If-None-Match", "*");
    if (x.response() != Code.OK) return this.broken(x, resp);
    if (x.status < 200 || x.status > 299) return this.refused(x, resp, req.etag.length > 0);
    const etag = x.responseHeader("etag");
    if (!etag) {
      resp.message = "the service answers without an ETag";
      return Code.Corrupt;
    }
    resp.etag = String.UTF8.encode(unquoted(etag));
    x.close();
    return Code.OK;
  }

  delete(req: Request, resp: Response): Code {
    if (!plain(req.etag)) return Code.ETagInvalid;
    const x = this.exchange("DELETE", escape(req.key), req.deadlineMs);
    if (req.etag.length) x.header("If-Match", quoted(req.etag));
    if (x.response() != Code.OK) return this.broken(x, resp);
    if (x.status == 404 && !req.etag.length) { // to delete what is not there is no error
      x.close();
      return Code.OK;
    }
    if (x.status < 200 || x.status > 299) return this.refused(x, resp, req.etag.length > 0);
    x.close();
    return Code.OK;
  }

  // ping asks for something that is no key: a service that knows of nothing is fine.
  ping(resp: Response): Code {
    const x = this.exchange("GET", "~", 0);
    if (x.response() != Code.OK) return this.broken(x, resp);
    if (x.status != 404 && (x.status < 200 || x.status > 299)) return this.refused(x, resp, false);
    x.close();
    return Code.OK;
  }

  private exchange(method: string, path: string, deadlineMs: u64): Exchange {
    const x = new Exchange(method, this.url + path).keepRedirects().timeout(deadlineMs);
    if (this.token.length) x.header("Authorization", "Bearer " + this.token);
    return x;
  }

  // broken is an exchange without an answer.
  private broken(x: Exchange, resp: Response): Code {
    resp.message = "the service cannot be reached";
    if (x.code == Code.Permission) resp.message = "the sandbox does not allow this address: sandbox: {http: [\"GET,PUT,DELETE " + this.url + "\"]}";
    if (x.code == Code.Timeout) resp.message = "the service did not answer in time";
    if (x.code == Code.Cancelled) resp.message = "the caller gave up before the service answered";
    x.close();
    return x.code;
  }

  // refused is an answer that is not the one wished for.
  private refused(x: Exchange, resp: Response, etag: bool): Code {
    const status = x.status;
    x.close();
    switch (status) {
      case 404: return etag ? Code.ETagMismatch : Code.NotFound; // what is missing has no etag
      case 412: return Code.ETagMismatch;
    }
    resp.message = "the service answers with status " + status.toString();
    switch (status) {
      case 400: return Code.InvalidArgument;
      case 401:
      case 403: return Code.Permission;
      case 413: return Code.TooLarge;
      case 429: return Code.RateLimited;
      case 507: return Code.Quota;
    }
    return status >= 500 ? Code.Unavailable : Code.Internal;
  }
}

// For values without a content type of their own.
const untyped = "application/octet-stream";

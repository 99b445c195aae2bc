import { Bytes } from "../../sdk/assemblyscript/assembly";

/**
 * A key as one segment of a path: every byte that is no letter, digit, "-" or "_"
 * becomes "~" and two hexadecimal digits. Percent signs would not do: a server
 * may decode them, and the host matches no path with an encoded slash.
 */
export function escape(key: Bytes): string {
  const out: i32[] = [];
  for (let i = 0; i < key.length; i++) {
    const c = <i32>key[i];
    if ((c >= 48 && c <= 57) || ((c | 32) >= 97 && (c | 32) <= 122) || c == 45 || c == 95) {
      out.push(c);
      continue;
    }
    out.push(126);
    out.push(digit(c >> 4));
    out.push(digit(c & 15));
  }
  return String.fromCharCodes(out);
}

function digit(d: i32): i32 {
  return d < 10 ? 48 + d : 55 + d;
}

/** Whether an etag can be one of the service's: what RFC 9110 allows in it. */
export function plain(etag: Bytes): bool {
  for (let i = 0; i < etag.length; i++) {
    const c = etag[i];
    if (c < 0x21 || c > 0x7e || c == 0x22) return false;
  }
  return true;
}

/** An etag as HTTP writes it. */
export function quoted(etag: Bytes): string {
  return '"' + etag.toString() + '"';
}

/** An etag without quotes, and without the mark of a weak one. */
export function unquoted(etag: string): string {
  if (etag.startsWith("W/")) etag = etag.slice(2);
  if (etag.length >= 2 && etag.startsWith('"') && etag.endsWith('"')) return etag.slice(1, etag.length - 1);
  return etag;
}

// Connections to endpoints that the operator granted: capability "tcp",
// abi/SPEC-hostfuncs.md, chapter 10.
import { Code } from "./codec";
import { codeOf } from "./message";

@external("wasmstate_tcp", "connect")
declare function tcp_connect(addr: usize, length: u32, flags: u32, timeoutMs: u32): u64;
@external("wasmstate_tcp", "read")
declare function tcp_read(handle: u32, out: usize, cap: u32, timeoutMs: u32): u64;
@external("wasmstate_tcp", "write")
declare function tcp_write(handle: u32, data: usize, length: u32, timeoutMs: u32): u64;
@external("wasmstate_tcp", "close")
declare function tcp_close(handle: u32): u64;

/** A connection. It outlives the operation and ends with the instance. */
@final
export class Connection {
  /** The code of the last call; after connect, why there is no connection. */
  code: Code = Code.OK;
  /** Of each call, in milliseconds; 0 = the rest of the operation. */
  timeoutMs: u32 = 0;
  private handle: u32 = 0;

  /** Connects to host:port, with TLS or without. */
  static connect(hostPort: string, tls: bool = false, timeoutMs: u32 = 0): Connection {
    const c = new Connection(), addr = String.UTF8.encode(hostPort);
    const r = tcp_connect(changetype<usize>(addr), addr.byteLength, tls ? 1 : 0, timeoutMs);
    c.code = codeOf(r);
    c.handle = <u32>r;
    c.timeoutMs = timeoutMs;
    return c;
  }

  /** At least one byte and at most most; empty with code OK is the end. */
  read(most: i32 = 4096): ArrayBuffer {
    const out = new ArrayBuffer(most), r = tcp_read(this.handle, changetype<usize>(out), most, this.timeoutMs);
    this.code = codeOf(r);
    return out.slice(0, <i32>r);
  }

  /** Writes all of it, or fails and closes the connection. */
  write(data: ArrayBuffer): Code {
    this.code = codeOf(tcp_write(this.handle, changetype<usize>(data), data.byteLength, this.timeoutMs));
    return this.code;
  }

  close(): void {
    tcp_close(this.handle);
  }
}

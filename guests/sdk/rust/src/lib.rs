//! Write a state store for the wasmstate runtime in Rust.
//!
//! ```no_run
//! use wasmstate::*;
//!
//! struct MyStore(std::collections::HashMap<Vec<u8>, Vec<u8>>);
//!
//! impl Store for MyStore {
//!     fn open(_: &Config<'_>) -> Result<Self> {
//!         Ok(MyStore(Default::default()))
//!     }
//!     fn get(&self, req: &Request<'_>) -> Result<Value<'_>> {
//!         let value = self.0.get(req.key).ok_or(Code::NotFound)?;
//!         Ok(Value { value: value.into(), ..Value::default() })
//!     }
//!     fn set(&mut self, req: &Request<'_>) -> Result<Bytes<'_>> {
//!         self.0.insert(req.key.to_vec(), req.value.to_vec());
//!         Ok(Bytes::default())
//!     }
//!     fn delete(&mut self, req: &Request<'_>) -> Result<()> {
//!         self.0.remove(req.key);
//!         Ok(())
//!     }
//! }
//!
//! wasmstate::export!(MyStore);
//! # fn main() {}
//! ```
//!
//! Build a `cdylib` for `wasm32-unknown-unknown` with `panic = "abort"`. A
//! panic is logged and ends the instance. Without the feature `std` the crate
//! brings an allocator and a panic handler.
#![no_std]
#![warn(missing_docs)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod codec;
pub mod host;
pub mod http;
pub mod kv;
pub mod message;
mod net;
pub mod tcp;
#[cfg(all(not(feature = "std"), target_arch = "wasm32"))]
mod freestanding;
#[doc(hidden)]
pub mod serve;
mod store;

pub use codec::{Batch, Pairs, Request};
pub use store::{Bytes, Code, Config, Error, ExportPage, Failed, KeyPage, Result, Store, Value};

/// Makes the runtime's log the place of panic messages.
#[cfg(feature = "std")]
fn report_panics() {
    #[cfg(target_arch = "wasm32")]
    std::panic::set_hook(std::boxed::Box::new(|info| {
        host::log(host::Level::Error, &std::string::ToString::to_string(info));
    }));
}

#[cfg(not(feature = "std"))]
fn report_panics() {}

/// Exports a [`Store`] as the module's store; once per module.
#[macro_export]
macro_rules! export {
    ($store:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            static INSTANCE: $crate::serve::Instance<$store> = $crate::serve::Instance::new();
            #[no_mangle]
            extern "C" fn ws_open(abi: u32, want: u32) -> u64 {
                INSTANCE.open(abi, want)
            }
            #[no_mangle]
            extern "C" fn ws_init(len: u32) -> u64 {
                INSTANCE.init(len)
            }
            #[no_mangle]
            extern "C" fn ws_get(len: u32) -> u64 {
                INSTANCE.get(len)
            }
            #[no_mangle]
            extern "C" fn ws_set(len: u32) -> u64 {
                INSTANCE.set(len)
            }
            #[no_mangle]
            extern "C" fn ws_delete(len: u32) -> u64 {
                INSTANCE.delete(len)
            }
            #[no_mangle]
            extern "C" fn ws_bulk_get(len: u32) -> u64 {
                INSTANCE.bulk_get(len)
            }
            #[no_mangle]
            extern "C" fn ws_bulk_write(len: u32) -> u64 {
                INSTANCE.bulk_write(len)
            }
            #[no_mangle]
            extern "C" fn ws_transact(len: u32) -> u64 {
                INSTANCE.transact(len)
            }
            #[no_mangle]
            extern "C" fn ws_keys(len: u32) -> u64 {
                INSTANCE.keys(len)
            }
            #[no_mangle]
            extern "C" fn ws_export(len: u32) -> u64 {
                INSTANCE.export(len)
            }
            #[no_mangle]
            extern "C" fn ws_import(len: u32) -> u64 {
                INSTANCE.import(len)
            }
            #[no_mangle]
            extern "C" fn ws_ping(_len: u32) -> u64 {
                INSTANCE.ping()
            }
            #[no_mangle]
            extern "C" fn ws_idle(_len: u32) -> u64 {
                INSTANCE.idle()
            }
            #[no_mangle]
            extern "C" fn ws_close(_len: u32) -> u64 {
                INSTANCE.close()
            }
        };
    };
}

//! cipher: encrypts values on their way to another component and keeps nothing
//! itself. README.md says what that protects from and what it does not.

#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod envelope;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use envelope::{Fault, Key, Place};
use wasmstate::kv::{Bucket, Features};
use wasmstate::{host, Batch, Bytes, Code, Config, Error, Failed, KeyPage, Request, Result, Store, Value};

pub struct Cipher {
    component: String,
    label: String,
    bucket: Bucket,
    keys: Vec<Key>, // the first encrypts
}

/// What the manifest declares must be there behind it.
const NEEDED: [(Features, &str); 5] = [
    (Features::ETAG, "ETAG"),
    (Features::TRANSACTIONAL, "TRANSACTIONAL"),
    (Features::TTL, "TTL"),
    (Features::KEYS, "KEYS"),
    (Features::CONTENT_TYPE, "CONTENT_TYPE"),
];

fn key(name: &str) -> Result<Key> {
    let secret = host::secret(name).map_err(|e| {
        let why = if e.code == Code::Permission { "is not granted: add it to the sandbox's secrets" } else { "cannot be read from the secret store" };
        Error::new(e.code, format!("the secret {name:?} {why}"))
    })?;
    secret.text().and_then(Key::parse).ok_or_else(|| {
        Error::new(Code::InvalidArgument, format!("the secret {name:?} is no key: a key is 64 hexadecimal digits (openssl rand -hex 32)"))
    })
}

fn hex(f: &[u8]) -> String {
    f.iter().map(|b| format!("{b:02x}")).collect()
}

fn full() -> Error {
    Error::new(Code::Quota, "out of memory")
}

impl Cipher {
    fn place<'a>(&'a self, key: &'a [u8], content_type: &'a [u8]) -> Place<'a> {
        Place { component: self.component.as_bytes(), bucket: self.label.as_bytes(), key, content_type }
    }

    fn seal(&self, req: &Request<'_>) -> Result<Vec<u8>> {
        let mut nonce = [0; 24];
        host::random(&mut nonce)?;
        envelope::seal(&self.keys[0], nonce, self.place(req.key, req.content_type), req.value).ok_or_else(full)
    }

    #[cold]
    fn error(&self, fault: Fault) -> Error {
        match fault {
            Fault::Foreign => Error::new(Code::Corrupt, "the stored value was not written by this store"),
            Fault::Key(f) => Error::new(Code::Corrupt, format!(
                "the value is encrypted with the key of fingerprint {}, and there is none: grant it and name it in oldKeys (the key in use is {})",
                hex(&f), hex(&self.keys[0].fingerprint))),
            Fault::Tampered => Error::new(Code::Corrupt, "the stored value was changed or moved: it does not fit its tag"),
            Fault::Memory => full(),
        }
    }
}

impl Store for Cipher {
    fn open(config: &Config<'_>) -> Result<Self> {
        let label = config.property("bucket").unwrap_or("data");
        let bucket = Bucket::open(label)?;
        for (feature, name) in NEEDED {
            if !bucket.features().has(feature) {
                return Err(Error::new(Code::Unsupported, format!("the component behind the bucket {label:?} lacks {name}")));
            }
        }
        let mut keys = Vec::new();
        keys.push(key(config.property("key").unwrap_or("key"))?);
        let old = config.property("oldKeys").unwrap_or("");
        for name in old.split(',').map(str::trim).filter(|n| !n.is_empty()) {
            keys.push(key(name)?);
        }
        Ok(Cipher { component: config.name.to_string(), label: label.to_string(), bucket, keys })
    }

    fn get(&self, req: &Request<'_>) -> Result<Value<'_>> {
        self.bucket.read(req, |v| {
            let value = envelope::open(&self.keys, self.place(req.key, &v.content_type), &v.value).map_err(|f| self.error(f))?;
            Ok(Value {
                value: value.into(),
                etag: v.etag.into_owned().into(),
                content_type: v.content_type.into_owned().into(),
                expires_ms: v.expires_ms,
            })
        })
    }

    fn set(&mut self, req: &Request<'_>) -> Result<Bytes<'_>> {
        let value = self.seal(req)?;
        self.bucket.set(&Request { value: &value, ..*req })
    }

    fn delete(&mut self, req: &Request<'_>) -> Result<()> {
        self.bucket.delete(req)
    }

    fn transact(&mut self, ops: &Batch<'_>) -> core::result::Result<(), Failed> {
        let mut values = Vec::new();
        for (index, op) in ops.iter().enumerate() {
            let sealed = if op.is_delete() { Ok(Vec::new()) } else { self.seal(&op) };
            values.push(sealed.map_err(|error| Failed { index, error })?);
        }
        let sealed: Vec<Request<'_>> = ops.iter().zip(&values).map(|(op, value)| Request { value, ..op }).collect();
        self.bucket.transact(&sealed)
    }

    fn keys(&self, prefix: &[u8], cursor: &[u8], limit: usize) -> Result<KeyPage<'_>> {
        self.bucket.keys(prefix, cursor, limit)
    }
}

wasmstate::export!(Cipher);

//! Bundles the components' modules, and compresses them and the texts as far as gzip allows, which takes too
//! long at run time.

#[path = "src/bundle.rs"]
mod bundle;

use std::fs::{self, File};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::{env, io};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha384};
use zopfli::{Format, Options, compress};

/// How often zopfli tries to improve a file. More tries gain less than a byte each.
const ITERATIONS: NonZeroU64 = NonZeroU64::new(60).unwrap();

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=components");
    let [shared, my_shares] =
        bundle::bundles(|text| format!("sha384-{}", STANDARD.encode(Sha384::digest(text))));
    write("sharelink.js", &shared)?;
    write("my-shares.js", &my_shares)?;
    bundle::TEXTS.iter().try_for_each(|(language, texts)| write(&format!("{language}.json"), texts))
}

/// Writes a file, and a compressed copy.
fn write(name: &str, source: &str) -> io::Result<()> {
    let directory = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(directory.join(name), source)?;
    let compressed = File::create(directory.join(format!("{name}.gz")))?;
    let options = Options { iteration_count: ITERATIONS, ..Options::default() };
    compress(options, Format::Gzip, source.as_bytes(), compressed)
}

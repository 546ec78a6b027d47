//! Bundles the components' modules, and compresses the bundle as far as gzip allows, which takes too long at
//! run time.

#[path = "src/bundle.rs"]
mod bundle;

use std::fs::{self, File};
use std::path::PathBuf;
use std::{env, io};

use zopfli::{Format, Options, compress};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=components");
    let directory = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let source = bundle::bundle();
    fs::write(directory.join("sharelink.js"), &source)?;
    compress(
        Options::default(),
        Format::Gzip,
        source.as_bytes(),
        File::create(directory.join("sharelink.js.gz"))?,
    )
}

//! The local S3, as a process.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{root, unique};

const FILES: &str = "files";
const ARCHIVES: &str = "archives";

/// Calls and bytes, without those of the benchmark itself.
#[derive(Clone, Copy, Deserialize)]
pub(crate) struct Counts {
    pub(crate) calls: u64,
    pub(crate) read: u64,
    pub(crate) written: u64,
    pub(crate) copied: u64,
}

/// A running local S3. Ends, and deletes its objects, on drop.
pub(crate) struct DiskS3 {
    process: Child,
    directory: PathBuf,
    /// The URL for the measured programs.
    pub(crate) counted: String,
    uncounted: String,
    client: reqwest::Client,
}

impl DiskS3 {
    /// Starts the server, with the certificate in this directory.
    pub(crate) fn start(certificates: &Path) -> Self {
        let directory = certificates.join(unique("disk-s3"));
        fs::create_dir(&directory).unwrap();
        for file in ["server.pem", "server-key.pem"] {
            fs::copy(certificates.join(file), directory.join(file)).unwrap();
        }
        let program = root().join("target/local/release/disk-s3/bootstrap");
        let mut command = Command::new(program);
        let command = command.arg(&directory).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let addresses: Value = serde_json::from_str(&line).unwrap();
        let address = |name: &str| addresses[name].as_str().unwrap().to_owned();
        let (counted, uncounted) = (address("counted"), address("uncounted"));
        Self { process, directory, counted, uncounted, client: reqwest::Client::new() }
    }

    /// Adds a file to the files bucket under each of these keys. Returns the objects' entity tags and
    /// checksums. A large file has holes.
    pub(crate) async fn add_files(
        &self,
        keys: &[String],
        size: u64,
        has_checksum: bool,
    ) -> Vec<(String, Option<String>)> {
        let name = format!("source-{size}");
        self.create_source(&name, size);
        let object =
            |key: &String| json!({"bucket": FILES, "key": key, "file": name, "has_checksum": has_checksum});
        let objects: Vec<Value> = keys.iter().map(object).collect();
        let put = self.client.put(format!("{}/-/objects", self.uncounted)).json(&objects);
        put.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }

    fn create_source(&self, name: &str, size: u64) {
        const BLOCK: usize = 1 << 20;
        const FILLED: u64 = 256 << 20;
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let next = |_| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random.to_le_bytes()
        };
        let block: Vec<u8> = (0..BLOCK / 8).flat_map(next).collect();
        let mut file = fs::File::create(self.directory.join(name)).unwrap();
        for start in (0..size.min(FILLED)).step_by(BLOCK) {
            let length = usize::try_from(size - start).unwrap().min(BLOCK);
            file.write_all(&block[..length]).unwrap();
        }
        file.set_len(size).unwrap();
    }

    /// Deletes the sources of all files.
    pub(crate) fn remove_sources(&self) {
        for entry in fs::read_dir(&self.directory).unwrap().map(Result::unwrap) {
            if entry.file_name().to_string_lossy().starts_with("source-") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
    }

    /// Puts a small object into the archive bucket.
    pub(crate) async fn put(&self, key: &str, content: String) {
        self.client.put(self.url(key)).body(content).send().await.unwrap().error_for_status().unwrap();
    }

    /// Deletes an object of the archive bucket.
    pub(crate) async fn delete(&self, key: &str) {
        self.client.delete(self.url(key)).send().await.unwrap().error_for_status().unwrap();
    }

    /// Returns the size of an object in the archive bucket.
    pub(crate) async fn size(&self, key: &str) -> u64 {
        let response = self.client.head(self.url(key)).send().await.unwrap().error_for_status().unwrap();
        response.headers()["content-length"].to_str().unwrap().parse().unwrap()
    }

    /// Ensures that an archive has this number of files, and that their checksums are right.
    pub(crate) fn check_archive(&self, key: &str, files: u64) {
        let script = root().join("tests/benchmarks/archives/check_archive.py");
        let mut python = Command::new("python3");
        let python = python.arg(script).arg(self.url(key)).arg(files.to_string());
        assert!(python.status().unwrap().success(), "{key} is not a valid archive");
    }

    /// Waits for the first bytes of the response to a signed URL.
    pub(crate) async fn read_first_bytes(&self, url: &str) {
        let url = url.replacen(&self.counted, &self.uncounted, 1);
        let mut response = self.client.get(url).send().await.unwrap().error_for_status().unwrap();
        assert!(response.chunk().await.unwrap().is_some());
    }

    /// Returns the counts since the last call.
    pub(crate) async fn take_counts(&self) -> Counts {
        let counts = self.client.get(format!("{}/-/counts", self.uncounted)).send().await.unwrap();
        counts.error_for_status().unwrap().json().await.unwrap()
    }

    fn url(&self, key: &str) -> String {
        format!("{}/{ARCHIVES}/{key}", self.uncounted)
    }
}

impl Drop for DiskS3 {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

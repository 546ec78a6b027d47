//! What is run: the functions as they are deployed, and what they are compared with.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cloud::{Cloud, KEY_RING, TABLE};
use crate::support::function::Function;
use crate::support::root;

/// A program that answers a Lambda runtime API.
#[derive(Clone)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    path: PathBuf,
    arguments: Vec<OsString>,
    is_reference: bool,
}

/// The functions of the template. First the one that is held to `hello`, so that both are measured in the same minute.
pub(crate) const FUNCTIONS: [&str; 6] =
    ["redeem-link", "create-shares", "manage-shares", "notify-recipients", "track-delivery", "sweep-shares"];

/// A function, as `cargo local release` has built it.
pub(crate) fn function(name: &'static str) -> Program {
    Program::at(name, released(name))
}

/// The least that a function can be.
pub(crate) fn hello() -> Program {
    function("hello")
}

fn released(name: &str) -> PathBuf {
    root().join("target/local/release").join(name).join("bootstrap")
}

/// Builds all of them as a deployment does.
pub(crate) fn build() {
    let built = Command::new(env!("CARGO")).args(["local", "release"]).current_dir(root()).status();
    assert!(built.unwrap().success(), "the functions cannot be built");
}

/// The same redemption, written plainly in Python and in Node.
pub(crate) fn references() -> [Program; 2] {
    let output = Command::new(env!("CARGO")).args(["local", "references"]).current_dir(root()).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let commands: HashMap<String, Vec<String>> = serde_json::from_slice(&output.stdout).unwrap();
    ["node", "python"].map(|name| {
        let command = &commands[name];
        let arguments = command[1..].iter().map(OsString::from).collect();
        Program { name, path: PathBuf::from(&command[0]), arguments, is_reference: true }
    })
}

impl Program {
    /// A program of ours.
    pub(crate) fn at(name: &'static str, path: PathBuf) -> Self {
        Self { name, path, arguments: vec![], is_reference: false }
    }

    /// A new function that runs it.
    pub(crate) async fn deploy(&self, cloud: &Cloud) -> Function {
        let settings = [
            ("STACK_NAME", "sharelink"),
            ("TABLE_NAME", TABLE),
            ("FILES_BUCKET", "files"),
            ("KEY_RING_SECRET", "key-ring"),
            ("PUBLIC_BASE_URL_PARAMETER", "/sharelink/public-base-url"),
            ("RETENTION_DAYS", "90"),
            ("LOG_RETENTION_DAYS", "365"),
            ("SHARE_PERMISSION", r#"{"jobs": ["producer"]}"#),
            ("ACCESS_RIGHTS_CLAIM", "accessRights"),
            ("EMAIL_FROM", "no-reply@example.com"),
            ("CONFIGURATION_SET", "emails"),
            // Faster than any SES: the pace is not what is measured.
            ("EMAILS_PER_SECOND", "60000"),
        ];
        let mut environment = cloud.environment(self.is_reference);
        environment.extend(settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Function::from_program(self.path.clone(), self.arguments.clone(), environment).await
    }

    /// How large it is when a deployment uploads it.
    pub(crate) fn zip_size(&self, directory: &Path) -> u64 {
        let zip = directory.join(format!("{}.zip", self.name));
        let _ = fs::remove_file(&zip);
        // What the SAM CLI packs with.
        let packed = Command::new("python3").args(["-m", "zipfile", "-c"]).arg(&zip).arg(&self.path).status();
        assert!(packed.unwrap().success(), "{} cannot be packed", self.name);
        fs::metadata(zip).unwrap().len()
    }

    /// Whether it has code of one of AWS's SDKs, by the name that the SDK has for itself.
    pub(crate) fn links(&self, sdk: &str) -> bool {
        let program = fs::read(&self.path).unwrap();
        program.windows(sdk.len()).any(|bytes| bytes == sdk.as_bytes())
    }
}

/// What the references and the functions both read, in the secret.
pub(crate) fn key_ring() -> sharelink_domain::link::KeyRing {
    sharelink_domain::link::KeyRing::parse(KEY_RING).unwrap()
}

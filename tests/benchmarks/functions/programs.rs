//! The measured programs: the functions as deployed, and the reference programs.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::fake_aws::{FakeAws, KEY_RING, LOG_TABLE, TABLE};
use crate::support::function::Function;
use crate::support::root;

/// A program that implements a Lambda function: it gets its events from a Lambda runtime API.
#[derive(Clone)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    path: PathBuf,
    arguments: Vec<OsString>,
    is_reference: bool,
}

/// Lambda's maximum. Only making a large archive takes minutes.
const TIME_LIMIT: Duration = Duration::from_mins(15);

/// The measured functions. `redeem-link` comes first, directly after `hello`, because its goal is relative to
/// `hello`: both are measured within the same minute.
pub(crate) const FUNCTIONS: [&str; 6] =
    ["redeem-link", "create-shares", "manage-shares", "notify-recipients", "track-delivery", "sweep-shares"];

/// Returns a function's program, which `cargo local release` builds.
pub(crate) fn function(name: &'static str) -> Program {
    Program::new(name, root().join("target/local/release").join(name).join("bootstrap"))
}

/// Returns the smallest possible function.
pub(crate) fn hello() -> Program {
    function("hello")
}

/// Returns the redemption without the SDK.
pub(crate) fn floor() -> Program {
    function("floor")
}

/// Builds these functions and benchmark programs as a deployment does; all of them if there are no names.
pub(crate) fn build(names: &[&str]) {
    let mut cargo = Command::new(env!("CARGO"));
    let status = cargo.args(["local", "release"]).args(names).current_dir(root()).status();
    assert!(status.unwrap().success(), "`cargo local release` failed");
}

/// Builds the programs that implement a function's work in plain Node and in plain Python: `redeem` or
/// `archive`.
pub(crate) fn references(work: &str) -> [Program; 2] {
    let output =
        Command::new(env!("CARGO")).args(["local", "references"]).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let commands: HashMap<String, HashMap<String, Vec<String>>> =
        serde_json::from_slice(&output.stdout).unwrap();
    let commands = &commands[work];
    ["node", "python"].map(|name| {
        let command = &commands[name];
        let arguments = command[1..].iter().map(OsString::from).collect();
        Program { name, path: PathBuf::from(&command[0]), arguments, is_reference: true }
    })
}

impl Program {
    pub(crate) fn new(name: &'static str, path: PathBuf) -> Self {
        Self { name, path, arguments: vec![], is_reference: false }
    }

    /// Returns a new function that runs this program against the fake AWS.
    pub(crate) async fn deploy(&self, aws: &FakeAws) -> Function {
        self.deploy_with_s3(aws, &aws.url).await
    }

    /// Returns a new function that runs this program against the fake AWS, but with the S3 at this URL.
    pub(crate) async fn deploy_with_s3(&self, aws: &FakeAws, s3_url: &str) -> Function {
        let settings = [
            ("STACK_NAME", "sharelink"),
            ("TABLE_NAME", TABLE),
            ("LOG_TABLE_NAME", LOG_TABLE),
            ("HASH_KEY_SECRET", "hash-key"),
            ("INDEX_KEY_SECRET", "index-key"),
            ("LOG_USE_SOURCES", "false"),
            ("FILES_BUCKET", "files"),
            ("ARCHIVE_BUCKET", "archives"),
            ("ARCHIVE_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/123456789012/archives"),
            ("MAX_ARCHIVE_GIGABYTES", "20"),
            ("MAX_ARCHIVE_FILES", "10000"),
            ("ALWAYS_SHOW_PAGE", "false"),
            ("ENDED_PAGE_NAMES_SHARER", "false"),
            ("FILES_PREFIX", "{module}/{item}/"),
            ("KEY_RING_SECRET", "key-ring"),
            ("PUBLIC_BASE_URL_PARAMETER", "/sharelink/public-base-url"),
            ("RETENTION_DAYS", "90"),
            ("LOG_RETENTION_DAYS", "365"),
            ("DEFAULT_ACCESS_DAYS", "7"),
            ("DEFAULT_LANGUAGE", "en"),
            ("REMINDER_DAYS", "0"),
            ("NOTICES", "emailProblem,firstDownload,moreTime"),
            ("MAX_ACCESS_DAYS", "0"),
            ("ALLOW_LINKS_WITHOUT_EMAIL", "true"),
            ("MAX_RECIPIENTS", "100"),
            ("MAX_FILES", "100"),
            ("SUGGEST_RECIPIENTS", "true"),
            ("SHARE_PERMISSION", r#"{"jobs": ["producer"]}"#),
            ("NAME_CLAIM", "name"),
            ("EMAIL_CLAIM", "email"),
            ("ACCESS_RIGHTS_CLAIM", "accessRights"),
            ("WEB_COMPONENTS", "true"),
            ("EMAIL_FROM", "no-reply@example.com"),
            ("CONFIGURATION_SET", "emails"),
            // High enough that the rate limiter does not affect the measurement.
            ("EMAILS_PER_SECOND", "60000"),
            ("SHARER_EMAILS_PER_DAY", "65535"),
            ("MAILBOX_EMAILS_PER_DAY", "1000"),
        ];
        let mut environment = aws.environment(self.is_reference);
        environment.extend(settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
        environment.insert("AWS_ENDPOINT_URL_S3".to_owned(), s3_url.to_owned());
        Function::from_program(TIME_LIMIT, self.path.clone(), self.arguments.clone(), environment).await
    }

    /// Returns the size of the zip file that a deployment uploads, in bytes.
    pub(crate) fn zip_size(&self, directory: &Path) -> u64 {
        let zip = directory.join(format!("{}.zip", self.name));
        let _ = fs::remove_file(&zip);
        // The SAM CLI also creates zip files with this module.
        let status = Command::new("python3").args(["-m", "zipfile", "-c"]).arg(&zip).arg(&self.path).status();
        assert!(status.unwrap().success(), "{} cannot be zipped", self.name);
        fs::metadata(zip).unwrap().len()
    }

    /// Returns whether the program contains code from the AWS SDK crate with this name.
    pub(crate) fn has_sdk(&self, sdk: &str) -> bool {
        let program = fs::read(&self.path).unwrap();
        program.windows(sdk.len()).any(|bytes| bytes == sdk.as_bytes())
    }
}

/// Returns the key ring that the secret contains.
pub(crate) fn key_ring() -> sharelink_domain::link::KeyRing {
    sharelink_domain::link::KeyRing::parse(KEY_RING).unwrap()
}

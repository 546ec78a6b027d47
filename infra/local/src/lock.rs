//! Locks between processes, because two commands may prepare the same files at the same time.

use std::fs::{self, File, TryLockError};
use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use crate::paths::target;

/// Waits for an exclusive lock on a file in `target/local`. The lock is released when the file is dropped.
///
/// This function polls, because a signal could not interrupt a blocking wait.
pub(crate) async fn lock(name: &str) -> Result<File> {
    fs::create_dir_all(target(""))?;
    let file = File::create(target(name))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => sleep(Duration::from_millis(200)).await,
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
}

//! Random ids and generations.

use aws_lc_rs::rand;
use sharelink_domain::{Generation, WriteId};

use crate::InternalError;

/// Returns a random generation for a new share.
pub fn new_generation() -> Result<Generation, InternalError> {
    random_bytes().map(Generation::from_bytes)
}

/// Returns a random id for a write.
pub fn new_write_id() -> Result<WriteId, InternalError> {
    random_bytes().map(WriteId::from_bytes)
}

fn random_bytes() -> Result<[u8; 16], InternalError> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| InternalError::Random)?;
    Ok(bytes)
}

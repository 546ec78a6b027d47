use aws_lc_rs::rand;
use sharelink_domain::Generation;
use sharelink_domain::share::WriteId;

use crate::AwsError;

/// 128 fresh random bits for a new share's link.
pub fn new_generation() -> Result<Generation, AwsError> {
    random().map(Generation::from_bytes)
}

/// A fresh id for one invocation's write.
pub fn new_write_id() -> Result<WriteId, AwsError> {
    random().map(WriteId::from_bytes)
}

fn random() -> Result<[u8; 16], AwsError> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes)
        .map_err(|_| AwsError::Rejected { service: "random", code: "unspecified".into() })?;
    Ok(bytes)
}

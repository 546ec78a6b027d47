//! The `Authorization` header of calls to the emulator's AWS APIs. The calls use plain HTTP, because the SDK
//! would double the time to compile this package.

use crate::emulator::REGION;

/// Returns an `Authorization` header for a service. Emulators read its scope and do not check its signature.
pub(crate) fn authorization_header(service: &str) -> String {
    let credential = format!("test/20260101/{REGION}/{service}/aws4_request");
    format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0")
}

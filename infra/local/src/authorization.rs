//! The `Authorization` header for calls to the emulator's AWS APIs. The calls do not use the SDK, because it
//! would double this package's compile time.

use crate::emulator::REGION;

/// Returns an `Authorization` header for a service. Emulators read its scope but do not check its signature.
pub(crate) fn authorization_header(service: &str) -> String {
    let credential = format!("test/20260101/{REGION}/{service}/aws4_request");
    format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0")
}

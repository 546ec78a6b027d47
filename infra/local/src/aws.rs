//! Calls to the emulator's AWS APIs over plain HTTP. The SDK would double the time to compile this package.

use crate::emulator::REGION;

/// Returns an `Authorization` header for a service. Emulators read the scope and do not check the signature.
pub(crate) fn authorization(service: &str) -> String {
    let credential = format!("test/20260101/{REGION}/{service}/aws4_request");
    format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0")
}

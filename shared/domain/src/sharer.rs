//! The sharer: the person who creates or manages a share.

use std::fmt;

use crate::EmailAddress;

/// A caller who creates or changes shares, as described by their token.
#[derive(Clone, PartialEq, Eq)]
pub struct Sharer {
    /// The token's subject. Identifies the sharer.
    pub sub: String,
    /// The name shown to recipients.
    pub name: Option<String>,
    /// The address that receives recipients' replies.
    pub email: Option<EmailAddress>,
}

/// Hides the sharer: debug output may reach a log.
impl fmt::Debug for Sharer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sharer(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_hides_the_sharer() {
        let sharer = Sharer { sub: "u1".into(), name: Some("Ann".into()), email: None };
        assert_eq!(format!("{sharer:?}"), "Sharer(..)");
    }
}

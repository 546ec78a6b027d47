//! The look of the pages: the platform's brand, the style sheet, and the policy that allows both.

use askama::Template;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sharelink_domain::Brand;

/// The look of every page of a deployment.
pub(crate) struct Look {
    pub(crate) brand: Brand,
    pub(crate) style: String,
    /// The hash of the style sheet, in base64.
    style_hash: String,
}

#[derive(Template)]
#[template(path = "page.css", escape = "none")]
struct StyleSheet<'a> {
    brand: &'a Brand,
}

impl Look {
    pub(crate) fn new(brand: Brand) -> Result<Self, askama::Error> {
        let style = StyleSheet { brand: &brand }.render()?;
        let style_hash = STANDARD.encode(digest(&SHA256, style.as_bytes()));
        Ok(Self { brand, style, style_hash })
    }

    /// Returns the content security policy, which allows the style sheet, the logo and forms for
    /// `form_action`, and blocks everything else.
    pub(crate) fn content_policy(&self, form_action: &str) -> String {
        let images = self.brand.logo().map(|logo| format!(" img-src {};", logo.origin())).unwrap_or_default();
        format!(
            "default-src 'none'; style-src 'sha256-{}';{images} base-uri 'none'; form-action {form_action}; \
             frame-ancestors 'none'",
            self.style_hash
        )
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use sharelink_domain::brand::Imprint;

    use super::*;

    /// Returns the look of a deployment without a brand.
    pub(crate) fn plain() -> Look {
        Look::new(Brand::default()).unwrap()
    }

    /// Returns the look of a deployment with every part of a brand.
    pub(crate) fn branded() -> Look {
        let name = "Studio <North>".parse().ok();
        let logo = "https://cdn.studio.example/logo.png".parse().ok();
        let imprint =
            Imprint::new("Studio North Ltd\n1 Pier & Sons", "https://studio.example/imprint".parse().ok());
        Look::new(Brand::new(name, "#00695c".parse().unwrap(), logo, imprint.unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn style_sheet_without_a_brand_has_no_rules_for_one() {
        let look = plain();
        let (style, content_policy) = (&look.style, look.content_policy("'none'"));
        for part in ["header", "footer", "{%", "{{", "\n\n"] {
            assert!(!style.contains(part), "{part}: {style}");
        }
        assert_eq!(style.matches("#1a56c4").count(), 1);
        assert_eq!(style.matches("#8ab4ff").count(), 1);
        assert!(!content_policy.contains("img-src"), "{content_policy}");
    }

    #[test]
    fn policy_allows_exactly_the_style_sheet_and_the_logo_s_host() {
        let look = branded();
        let (style, content_policy) = (&look.style, look.content_policy("'none'"));
        let hash = STANDARD.encode(digest(&SHA256, style.as_bytes()));
        assert_eq!(
            content_policy,
            format!(
                "default-src 'none'; style-src 'sha256-{hash}'; img-src https://cdn.studio.example; \
                 base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            )
        );
        assert!(style.contains("--link: #00695c;") && style.contains("--link: #4a948b;"), "{style}");
        assert!(!style.contains("#1a56c4") && !style.contains("#8ab4ff"), "{style}");
    }
}

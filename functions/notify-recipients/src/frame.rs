//! What surrounds the content of every email: the brand, in the language of the texts.

use sharelink_domain::brand::Color;
use sharelink_domain::{Brand, Language};

use crate::texts::Texts;

/// What `frame.html` and `imprint.txt` need, in the field `frame` of an email's contents.
pub(crate) struct Frame<'a> {
    pub(crate) brand: &'a Brand,
    pub(crate) language: Language,
}

impl Frame<'_> {
    /// Returns the accent of the light color scheme.
    pub(crate) fn accent(&self) -> Color {
        self.brand.accent().light
    }

    /// Returns the accent of the dark color scheme.
    pub(crate) fn dark_accent(&self) -> Color {
        self.brand.accent().dark
    }

    /// Returns the label of the link to the imprint.
    pub(crate) fn imprint_label(&self) -> &'static str {
        Texts::of(self.language).imprint
    }
}

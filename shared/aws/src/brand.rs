//! The deployment's brand.

use sharelink_domain::Brand;
use sharelink_domain::brand::{
    AccentError, Imprint, ImprintError, ImprintUrlError, LogoUrlError, LogoWithoutName,
};
use sharelink_domain::sender::PlatformNameError;
use sharelink_runtime::optional;
use thiserror::Error;

/// The reason the brand's parameters were rejected. With this error, the function does not start.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum BrandError {
    #[error("BRAND_NAME {0}")]
    Name(#[from] PlatformNameError),
    #[error("BRAND_COLOR {0}")]
    Accent(#[from] AccentError),
    #[error("BRAND_LOGO_URL {0}")]
    LogoUrl(#[from] LogoUrlError),
    #[error("BRAND_LOGO_URL {0}")]
    LogoWithoutName(#[from] LogoWithoutName),
    #[error("IMPRINT_TEXT {0}")]
    ImprintText(#[from] ImprintError),
    #[error("IMPRINT_URL {0}")]
    ImprintUrl(#[from] ImprintUrlError),
}

/// Reads the brand from the environment. An empty variable is a part that the brand does not have.
pub fn load_brand() -> Result<Brand, BrandError> {
    let imprint_url = optional("IMPRINT_URL").map(|url| url.parse()).transpose()?;
    Ok(Brand::new(
        optional("BRAND_NAME").map(|name| name.parse()).transpose()?,
        optional("BRAND_COLOR").map(|color| color.parse()).transpose()?.unwrap_or_default(),
        optional("BRAND_LOGO_URL").map(|url| url.parse()).transpose()?,
        Imprint::new(&optional("IMPRINT_TEXT").unwrap_or_default(), imprint_url)?,
    )?)
}

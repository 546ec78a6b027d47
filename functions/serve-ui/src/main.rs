//! `GET /ui/{version}/{file}` and `GET /ui/{file}`: serves the web components that frontends embed. No
//! login is required, because the components are the same for everyone and useless without a platform token.

#[cfg(test)]
mod bundle;
mod components;
mod serve;

use std::future::ready;

use sharelink_http::run;
use sharelink_runtime::{Metrics, required_bool, start_logging};

use components::Components;
use serve::ServeUi;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    start_logging();
    let metrics = Metrics::start(env!("CARGO_PKG_NAME"))?;
    let components = required_bool("WEB_COMPONENTS")?.then(Components::embedded);
    let serve_ui = ServeUi { components };
    run(&metrics, |request| ready(serve_ui.handle(&request))).await
}

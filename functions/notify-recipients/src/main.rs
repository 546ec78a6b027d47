//! Sends each share's email, reminders and sharers' digests. New emails are sent as soon as the table's
//! stream delivers them. Everything else that is due is sent from the outbox once a minute.

mod digest;
mod email;
mod frame;
mod notify;
#[cfg(test)]
mod previews;
mod quote;
mod rate_limiter;
mod send_budget;
mod texts;
mod unlink;

use lambda_runtime::{LambdaEvent, run, service_fn};
use sharelink_aws::base_url::PublicBaseUrl;
use sharelink_aws::brand::load_brand;
use sharelink_aws::key_ring_cache::KeyRingCache;
use sharelink_aws::link_builder::LinkBuilder;
use sharelink_aws::load_config;
use sharelink_aws::mailer::{Mailer, Sender};
use sharelink_aws::share_table::ShareTable;
use sharelink_aws::switch_cache::SwitchCache;
use sharelink_domain::Language;
use sharelink_runtime::{
    Clock, Metrics, optional, required, required_bool, required_positive_number, start_logging,
};

use notify::{NotifyRecipients, Trigger};
use rate_limiter::RateLimiter;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    start_logging();
    let config = load_config()?;
    let base_url = PublicBaseUrl::new(&config, required("PUBLIC_BASE_URL_PARAMETER")?);
    let sender = Sender { address: required("EMAIL_FROM")?, identity_arn: optional("EMAIL_IDENTITY_ARN") };
    let table = ShareTable::new(&config, required("TABLE_NAME")?);
    let notify_recipients = NotifyRecipients {
        always_show_page: required_bool("ALWAYS_SHOW_PAGE")?,
        brand: load_brand().map_err(|error| error.to_string())?,
        clock: Clock::from_env(),
        default_language: Language::parse(&required("DEFAULT_LANGUAGE")?)?,
        links: LinkBuilder::new(KeyRingCache::new(&config, required("KEY_RING_SECRET")?), base_url),
        mailer: Mailer::new(&config, sender, required("CONFIGURATION_SET")?),
        metrics: Metrics::start(env!("CARGO_PKG_NAME"))?,
        platform_url: optional("PLATFORM_URL").map(|url| url.parse()).transpose()?,
        rate_limiter: RateLimiter::new(required_positive_number("EMAILS_PER_SECOND")?),
        switches: SwitchCache::new(&table),
        table,
    };
    let notify_recipients = &notify_recipients;
    run(service_fn(|event: LambdaEvent<Trigger>| Box::pin(notify_recipients.handle(event)))).await
}

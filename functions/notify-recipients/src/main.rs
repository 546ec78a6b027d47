//! Sends each new share's email, from the table's stream.

mod email;
mod notify;

use aws_lambda_events::dynamodb::Event;
use lambda_runtime::{LambdaEvent, run, service_fn};
use sharelink_aws::links::Links;
use sharelink_aws::load_config;
use sharelink_aws::mailer::Mailer;
use sharelink_aws::parameters::PublicBaseUrl;
use sharelink_aws::share_table::ShareTable;
use sharelink_runtime::{Clock, optional, required, start_logging};

use notify::NotifyRecipients;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    start_logging();
    let config = load_config().await;
    let base_url =
        PublicBaseUrl::new(&config, optional("PUBLIC_BASE_URL"), required("PUBLIC_BASE_URL_PARAMETER")?);
    let notify_recipients = NotifyRecipients {
        clock: Clock::from_env(),
        links: Links::new(&config, required("KEY_RING_SECRET")?, base_url),
        mailer: Mailer::new(&config, required("EMAIL_FROM")?, required("CONFIGURATION_SET")?),
        table: ShareTable::new(&config, required("TABLE_NAME")?),
    };
    let notify_recipients = &notify_recipients;
    run(service_fn(|event: LambdaEvent<Event>| Box::pin(notify_recipients.handle(event.payload)))).await
}

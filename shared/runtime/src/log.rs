use tracing_subscriber::filter::LevelFilter;

/// Starts logging: one JSON object per line, at level `info` and above. The level is not configurable,
/// because at more verbose levels the Lambda runtime and the AWS SDK log entire bodies, which contain links
/// and addresses.
pub fn start_logging() {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        // The Lambda runtime's span contains the request id.
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        // CloudWatch adds a timestamp to every line.
        .without_time()
        .with_max_level(LevelFilter::INFO)
        .init();
}

use tracing_subscriber::filter::LevelFilter;

/// Starts logging: one JSON object a line, at `info` and above. More verbose levels are not configurable,
/// since the Lambda runtime and the SDK print whole bodies there, with links and addresses in them.
pub fn start_logging() {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        // The runtime's own, which has the request's id.
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        // CloudWatch stamps every line itself.
        .without_time()
        .with_max_level(LevelFilter::INFO)
        .init();
}

//! The first byte of an archive that is ready, compared with that of a file.

use std::time::Instant;

use serde_json::Value;

use crate::case::message;
use crate::disk_s3::DiskS3;
use crate::events::EventFactory;
use crate::fake_aws::FakeAws;
use crate::measure::Times;
use crate::programs::function;
use crate::support::function::Function;
use crate::support::unique;

const DOWNLOADS: usize = 200;
const FILE_SIZE: u64 = 20 << 20;

/// Downloads of one kind.
struct Downloads {
    /// From the request until the first byte of the file or the archive.
    first_byte: Vec<std::time::Duration>,
    /// The part of it that `redeem-link` takes.
    redemption: Vec<std::time::Duration>,
    calls: u64,
}

/// Downloads a file and an archive alternately, and prints the times.
pub(crate) async fn print(aws: &FakeAws, s3: &DiskS3, events: &EventFactory<'_>) {
    let item = unique("item");
    let keys = ["1.bin", "2.bin"].map(|name| format!("jobs/{item}/{name}"));
    s3.add_files(&keys, FILE_SIZE, true).await;
    let events = events.downloads(&item, FILE_SIZE).await;

    let redeem_link = function("redeem-link").deploy_with_s3(aws, &s3.counted).await;
    redeem_link.start_instance().await;
    let requested = redeem_link.invoke(&events[1]).await.unwrap();
    assert_eq!(requested["statusCode"], 202, "{requested}");
    let id = aws.take_messages().pop().expect("no archive was requested");
    let archive_files = function("archive-files").deploy_with_s3(aws, &s3.counted).await;
    archive_files.invoke(&message(&id)).await.unwrap();

    let mut kinds =
        events.map(|event| (event, Downloads { first_byte: vec![], redemption: vec![], calls: 0 }));
    for _ in 0..DOWNLOADS {
        for (event, downloads) in &mut kinds {
            download(aws, s3, &redeem_link, event, downloads).await;
        }
    }
    println!(
        "\nDownload of a file and of a ready archive, {DOWNLOADS} each, in ms: median and 99th percentile\n"
    );
    println!("{:<10} {:>16} {:>16} {:>14}", "", "redemption", "first byte", "calls to AWS");
    let [file, archive] = kinds.map(|(_, downloads)| downloads);
    let (file_calls, archive_calls) = (file.calls, archive.calls);
    let file = print_row("file", file);
    let archive = print_row("archive", archive);
    println!(
        "\nthe archive's first byte, relative to the file's: {:.2}, with {:.1} more calls",
        archive / file,
        (archive_calls - file_calls) as f64 / DOWNLOADS as f64
    );
}

async fn download(
    aws: &FakeAws,
    s3: &DiskS3,
    redeem_link: &Function,
    event: &Value,
    downloads: &mut Downloads,
) {
    s3.take_counts().await;
    let (calls_before, begin) = (aws.calls(), Instant::now());
    let response = redeem_link.invoke(event).await.unwrap();
    downloads.redemption.push(begin.elapsed());
    assert_eq!(response["statusCode"], 302, "{response}");
    downloads.calls += aws.calls() - calls_before + s3.take_counts().await.calls;
    let url = response["headers"]["location"].as_str().unwrap();
    let requested = Instant::now();
    s3.read_first_bytes(url).await;
    downloads.first_byte.push(*downloads.redemption.last().unwrap() + requested.elapsed());
}

/// Prints the times. Returns the median time until the first byte, in ms.
fn print_row(name: &str, downloads: Downloads) -> f64 {
    let milliseconds = |time: std::time::Duration| time.as_secs_f64() * 1000.0;
    let (redemption, first_byte) = (Times::new(downloads.redemption), Times::new(downloads.first_byte));
    let pair =
        |times: &Times| format!("{:.2} {:>7.2}", milliseconds(times.median()), milliseconds(times.p99()));
    println!(
        "{name:<10} {:>16} {:>16} {:>14.1}",
        pair(&redemption),
        pair(&first_byte),
        downloads.calls as f64 / DOWNLOADS as f64
    );
    milliseconds(first_byte.median())
}

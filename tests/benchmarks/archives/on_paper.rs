//! What 15 GB take on Lambda, according to the plan and to published figures.

use sharelink_domain::archive::{Archive, ArchiveFile, ETag, Limits, Part, PartContent, Plan};

const FILES: usize = 3_000;
const MB: f64 = 1_000_000.0;

/// Bytes per second that a Lambda function moves in each direction: 600 Mbit/s.
const BANDWIDTH: f64 = 75.0 * MB;

/// The function's memory, in GB.
const MEMORY: f64 = 0.5;

/// Dollars, from `infra/costs.md`.
const GB_SECOND: f64 = 0.000_013_333_4;
const READ: f64 = 0.0004 / 1_000.0;
const WRITE: f64 = 0.005 / 1_000.0;

/// Prints the time and the cost of 3,000 files of 5 MB, and of the same number with sizes around 5 MB.
pub(crate) fn print() {
    println!("\nOn paper: 15 GB on Lambda, at 600 Mbit/s\n");
    println!("{:<46} {:>8} {:>8} {:>6} {:>8} {:>10}", "", "read", "written", "parts", "time", "dollars");
    print_row("3,000 files of 5 MB", &vec![5_000_000; FILES]);
    print_row("3,000 files of 2 to 8 MB, 5 MB on average", &varied_sizes());
}

fn print_row(name: &str, sizes: &[u64]) {
    let file = |(index, size): (usize, &u64)| ArchiveFile {
        name: format!("{index:064}").parse().unwrap(),
        key: format!("files/{index:064}").try_into().unwrap(),
        etag: ETag::parse("0").unwrap(),
        size: *size,
        crc32: None,
        modified: "2026-01-01T00:00:00Z".parse().unwrap(),
    };
    let files = sizes.iter().enumerate().map(file).collect();
    let plan = Plan::new(Archive::new(files, &[], Limits { bytes: u64::MAX, files: FILES }).unwrap());
    let assembled = || plan.parts().iter().filter(|part| matches!(part.content, PartContent::Assemble(_)));
    let reads = || assembled().flat_map(Part::objects);
    let (read, written): (u64, u64) = (
        reads().map(|(_, range)| range.bytes.end - range.bytes.start).sum(),
        assembled().map(|part| part.size).sum(),
    );
    let seconds = read.max(written) as f64 / BANDWIDTH;
    // The checksum of each file that may be copied takes a request.
    let requests = reads().count() + sizes.iter().filter(|size| **size >= 5 << 20).count();
    let dollars =
        seconds * MEMORY * GB_SECOND + requests as f64 * READ + (plan.parts().len() + 2) as f64 * WRITE;
    println!(
        "{name:<46} {:>5.1} GB {:>5.1} GB {:>6} {seconds:>6.0} s {dollars:>10.4}",
        read as f64 / MB / 1000.0,
        written as f64 / MB / 1000.0,
        plan.parts().len(),
    );
}

/// Returns sizes in the published benchmark's distribution: normal, with a mean of 5 MB and a deviation of
/// 1 MB, between 2 and 8 MB.
fn varied_sizes() -> Vec<u64> {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut uniform = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 11) as f64 / (1_u64 << 53) as f64
    };
    // The sum of twelve uniform numbers has a deviation of 1.
    let mut normal = move || (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "2 to 8 million")]
    let size = |_| ((5.0 + normal()).clamp(2.0, 8.0) * MB) as u64;
    (0..FILES).map(size).collect()
}

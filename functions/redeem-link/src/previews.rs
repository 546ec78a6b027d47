//! Writes every kind of page in every language into files, to look at them in a browser.

use std::fs;
use std::path::Path;

use chrono::TimeDelta;
use sharelink_domain::brand::{Brand, Imprint};
use sharelink_domain::testing::{NOW, ShareBuilder, file, time};
use sharelink_domain::{Language, SharedFile, SharerName};
use sharelink_http::ProblemType;

use crate::look::Look;
use crate::pages::{self, ResponseFormat, Waiting};

/// Returns a brand. To see its logo, serve one at this address.
fn brand() -> Brand {
    let imprint = "Studio North Ltd, 1 Pier Road, Cork\nRegistered in Ireland, no. 123456";
    let imprint = Imprint::new(imprint, "https://studio.example/imprint".parse().ok()).unwrap();
    let logo = "http://localhost:5173/logo.png".parse().ok();
    Brand::new("Studio North".parse().ok(), "#00695c".parse().unwrap(), logo, imprint).unwrap()
}

#[test]
#[ignore = "writes files into target/page-previews"]
fn write_previews() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/page-previews");
    fs::create_dir_all(&directory).unwrap();
    let files = [("artwork.pdf", 2_417_000), ("dieline.dwg", 348_200), ("notes.txt", 41_900)];
    let share = ShareBuilder::new()
        .files(files.map(|(name, size)| SharedFile { size, ..file(name) }).to_vec())
        .message("Second round of the packaging. Comments by Friday, please.")
        .title("Spring packaging 2026")
        .expires_in(TimeDelta::days(7))
        .build();
    let stopped = share.with_email_choice(share.generation, false, time(NOW)).unwrap().unwrap();
    let ann = SharerName::parse("Ann Example", None);
    let waiting = Waiting { bytes_done: 1_200_000, bytes: 2_807_100, left_out: &[], token: "token" };
    for language in Language::ALL {
        let format = ResponseFormat::Page { language, is_requested: true };
        for (name, brand) in [("plain", Brand::default()), ("branded", brand())] {
            let look = Look::new(brand).unwrap();
            for (kind, response) in [
                ("files", pages::files(&look, &share, ann.as_ref(), true, "token", time(NOW), format)),
                ("waiting", pages::waiting(&look, &waiting, format)),
                ("ended", pages::access_ended(&look, ann.as_ref(), Some("token"), format)),
                ("more-time-asked", pages::more_time_requested(&look, None, format)),
                ("more-time-granted", pages::more_time_requested(&look, Some("token"), format)),
                ("emails", pages::emails(&look, &share, false, "token", time(NOW), format)),
                ("emails-stopped", pages::emails(&look, &stopped, true, "token", time(NOW), format)),
                ("emails-allowed", pages::emails(&look, &share, true, "token", time(NOW), format)),
                ("missing", pages::problem(&look, ProblemType::FileMissing, Some("token".into()), format)),
            ] {
                let file = directory.join(format!("{kind}-{}-{name}.html", language.tag()));
                fs::write(file, response.body()).unwrap();
            }
        }
    }
}

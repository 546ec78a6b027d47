//! Every word of a share's texts finds the share, in capitals, too. Any text can be searched for.

#![no_main]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a fuzz target fails by a panic")]

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use sharelink_domain::suggestions::{Prefix, Suggestions};
use sharelink_domain::testing::{ShareBuilder, file};
use sharelink_domain::{FileName, RecipientName, SearchText, Share, ShareRules, SharedFile, Title};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    recipient: &'a str,
    recipient_name: &'a str,
    title: &'a str,
    file: &'a str,
    typed: &'a str,
}

/// The maximum length of a search text, in characters.
const SEARCH_LIMIT: usize = 256;

/// Returns a share with the texts that are valid.
fn create_share(input: &Input) -> Share {
    let share = ShareBuilder::new().build();
    let named = |name: FileName| SharedFile { name, ..file("brief.pdf") };
    Share {
        recipient: input.recipient.parse().unwrap_or(share.recipient),
        recipient_name: RecipientName::parse(input.recipient_name),
        title: Title::parse(input.title),
        files: input.file.parse().map_or(share.files, |name| vec![named(name)]),
        ..share
    }
}

fn is_suggested(share: &Share, typed: &str) -> bool {
    let mut suggestions = Suggestions::default();
    suggestions.add(std::slice::from_ref(share), &Prefix::new(typed), &ShareRules::default());
    !suggestions.into_vec().is_empty()
}

fuzz_target!(|input: Input| {
    let share = create_share(&input);
    let search = SearchText::parse(input.typed);
    assert_eq!(search.is_err(), input.typed.trim().chars().count() > SEARCH_LIMIT);
    if let Ok(Some(text)) = search {
        let _ = share.contains_text(&text);
    }
    let _ = is_suggested(&share, input.typed);

    let address = share.recipient.as_str();
    let name = share.recipient_name.as_ref().map_or("", RecipientName::as_str);
    let title = share.title.as_ref().map_or("", Title::as_str);
    for word in [address, name, title, share.files[0].name.as_str()].iter().flat_map(|text| text.split(' ')) {
        for typed in [word, &word.to_ascii_uppercase(), &word.to_ascii_lowercase()] {
            if let Some(text) = SearchText::parse(typed).unwrap() {
                assert!(share.contains_text(&text), "{typed:?} does not find the share");
            }
        }
    }
    for word in name.split(' ').chain([address]) {
        assert!(is_suggested(&share, word), "{word:?} does not suggest the recipient");
    }
});

//! JSON text from other programs.

use std::borrow::Cow;

/// The code unit of U+FFFD, which most programs read a lone surrogate as.
pub const REPLACEMENT_CHARACTER: u16 = 0xfffd;

/// The code unit of U+FFFF, which no text contains. It distinguishes a lone surrogate from a U+FFFD that a
/// person pasted, which is visible.
pub const NONCHARACTER: u16 = 0xffff;

/// Replaces each escaped lone surrogate, such as `\ud83d`, with the escape sequence of another code unit, such
/// as `\ufffd`. The text keeps its length, so a parser's error still has the right position.
///
/// JavaScript strings may contain half of a character, such as an emoji that was cut in two, and
/// `JSON.stringify` escapes it ([well-formed `JSON.stringify`]). `serde_json` rejects the whole text because
/// of it.
///
/// [well-formed `JSON.stringify`]: https://github.com/tc39/proposal-well-formed-stringify
#[must_use]
pub fn replace_lone_surrogates(json: &[u8], replacement: u16) -> Cow<'_, [u8]> {
    let mut replaced = Cow::Borrowed(json);
    let mut position = 0;
    while let Some(distance) = json.get(position..).and_then(|rest| rest.iter().position(|b| *b == b'\\')) {
        position += distance;
        position += match (escaped_unit(json, position), escaped_unit(json, position + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                replaced.to_mut()[position + 2..position + 6]
                    .copy_from_slice(format!("{replacement:04x}").as_bytes());
                6
            }
            _ => 2,
        };
    }
    replaced
}

/// Returns the UTF-16 code unit that the escape sequence at a position stands for.
fn escaped_unit(json: &[u8], position: usize) -> Option<u16> {
    let digits = json.get(position..position + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn replace(json: &str) -> String {
        let replaced = replace_lone_surrogates(json.as_bytes(), REPLACEMENT_CHARACTER);
        String::from_utf8(replaced.into_owned()).unwrap()
    }

    #[test]
    fn lone_surrogates_are_replaced() {
        for (json, replaced) in [
            (r#"["\ud83d"]"#, r#"["\ufffd"]"#),
            (r#"["\uDE00x"]"#, r#"["\ufffdx"]"#),
            (r#"["\ud83d\ud83d\ude00"]"#, r#"["\ufffd\ud83d\ude00"]"#),
            (r#"["\ude00\ud83d"]"#, r#"["\ufffd\ufffd"]"#),
            (r#"["\\\ud83d"]"#, r#"["\\\ufffd"]"#),
            (r#"["\ud83d\n"]"#, r#"["\ufffd\n"]"#),
        ] {
            assert_eq!(replace(json), replaced);
        }
        assert_eq!(&*replace_lone_surrogates(br#"["\ud83d"]"#, NONCHARACTER), br#"["\uffff"]"#);
    }

    #[test]
    fn other_text_is_kept() {
        for json in [
            r#"["\ud83d\ude00 \u00e9 é 🎉"]"#,
            r#"["\\ud83d"]"#,
            r#"["\uFFFD"]"#,
            r#"["\ud8"]"#,
            r#"["\ud83"#,
            r#"["\"#,
            "",
        ] {
            let replaced = replace_lone_surrogates(json.as_bytes(), REPLACEMENT_CHARACTER);
            assert!(matches!(replaced, Cow::Borrowed(_)), "{json}");
        }
    }

    proptest! {
        /// Any sequence of UTF-16 code units can be read, as in JavaScript and with the same result.
        #[test]
        fn every_javascript_string_can_be_read(
            units in prop::collection::vec(prop_oneof![any::<u16>(), 0xd7fe..=0xe001_u16], 0..20),
        ) {
            let escapes: Vec<String> = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let json = format!("\"{}\"", escapes.concat());
            let replaced = replace_lone_surrogates(json.as_bytes(), REPLACEMENT_CHARACTER);
            let text: String = serde_json::from_slice(&replaced).unwrap();
            prop_assert_eq!(text, String::from_utf16_lossy(&units));
        }

        #[test]
        fn any_bytes_keep_their_length(json in any::<Vec<u8>>()) {
            prop_assert_eq!(replace_lone_surrogates(&json, NONCHARACTER).len(), json.len());
        }
    }
}

//! The names of an archive's entries.
//!
//! An entry has its file's name wherever every system can store it. Otherwise, the name changes as little as
//! possible: Windows forbids some characters and names, and neither Windows nor macOS can store two names that
//! differ only in case. Names are in NFC, because NTFS and ext4 tell apart a letter's composed and decomposed
//! forms, which people cannot.

use std::collections::{HashMap, HashSet};
use std::fmt;

use unicode_normalization::UnicodeNormalization;

use crate::FileName;

/// The maximum length of a name, in bytes of UTF-8: the limit of Linux. Windows and macOS allow 255 UTF-16
/// code units, which are never more.
const LIMIT: usize = 255;

/// A longer ending is not an extension.
const EXTENSION_LIMIT: usize = 20;

/// What replaces a character that Windows cannot store.
const REPLACEMENT: char = '_';

/// The name of an archive's entry: one that Windows, macOS and Linux can store, and that differs in more than
/// case from every other name in its archive.
#[derive(Clone, PartialEq, Eq)]
pub struct EntryName(String);

impl EntryName {
    /// Names the entries for these files, in order.
    ///
    /// A file whose name can be stored as it is has precedence over one whose name must change, and otherwise
    /// the first. The others get a number, as in `A (2).pdf`, that makes them different from all names.
    #[must_use]
    pub fn for_files<'a>(files: impl IntoIterator<Item = &'a FileName>) -> Vec<Self> {
        let wanted: Vec<(String, bool)> = files
            .into_iter()
            .map(|file| {
                let composed: String = file.as_str().nfc().collect();
                let portable = to_portable(&file.to_display_text());
                let is_unchanged = portable == composed;
                (portable, is_unchanged)
            })
            .collect();

        let mut taken = HashSet::with_capacity(wanted.len());
        let mut names = vec![None; wanted.len()];
        for unchanged in [true, false] {
            for ((portable, is_unchanged), name) in wanted.iter().zip(&mut names) {
                if *is_unchanged == unchanged && taken.insert(fold(portable)) {
                    *name = Some(portable.clone());
                }
            }
        }
        let mut last_numbers = HashMap::new();
        let numbered = wanted.into_iter().zip(names).map(|((portable, _), name)| {
            name.unwrap_or_else(|| {
                let number = last_numbers.entry(fold(&portable)).or_insert(1_usize);
                loop {
                    *number += 1;
                    let candidate = with_suffix(&portable, &format!(" ({number})"));
                    if taken.insert(fold(&candidate)) {
                        return candidate;
                    }
                }
            })
        });
        numbered.map(Self).collect()
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Hides the name: debug output may reach a log.
impl fmt::Debug for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EntryName(..)")
    }
}

/// Returns the name as Windows can store it
/// (<https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file>).
fn to_portable(name: &str) -> String {
    let is_forbidden = |c: char| c.is_control() || r#"<>:"/\|?*"#.contains(c);
    let mut name: String = name.nfc().map(|c| if is_forbidden(c) { REPLACEMENT } else { c }).collect();

    // Windows removes trailing dots and spaces, which could also make two names equal.
    let kept = name.trim_end_matches(['.', ' ']).len();
    let trailing = name.len() - kept;
    name.truncate(kept);
    name.extend(std::iter::repeat_n(REPLACEMENT, trailing));

    let stem = name.split('.').next().unwrap_or_default().trim_end_matches(' ');
    if is_device(stem) {
        name.insert(stem.len(), REPLACEMENT);
    }
    if name.len() > LIMIT { with_suffix(&name, "") } else { name }
}

/// Returns whether Windows reserves the name for a device.
fn is_device(stem: &str) -> bool {
    let stem = stem.to_ascii_uppercase();
    let is_port = |digit: &str| {
        matches!(digit, "¹" | "²" | "³") || (digit.len() == 1 && digit.as_bytes()[0].is_ascii_digit())
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CLOCK$" | "CONIN$" | "CONOUT$")
        || stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT")).is_some_and(is_port)
}

/// Adds a suffix in front of the name's extension, and shortens the rest of the name if necessary.
fn with_suffix(name: &str, suffix: &str) -> String {
    let dot = name.rfind('.').filter(|dot| *dot > 0 && name.len() - dot <= EXTENSION_LIMIT);
    let (stem, extension) = name.split_at(dot.unwrap_or(name.len()));
    let room = LIMIT - extension.len() - suffix.len();
    let mut stem = &stem[..stem.floor_char_boundary(room)];
    if suffix.is_empty() && extension.is_empty() {
        stem = stem.trim_end_matches(['.', ' ']);
    }
    format!("{stem}{suffix}{extension}")
}

/// Returns a text that is equal for names that a file system may take for the same. It is at least as coarse
/// as Unicode's canonical caseless matching (D145) and NTFS's table of capital letters.
fn fold(name: &str) -> String {
    let fold = |c: char| c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    name.nfd().flat_map(fold).nfd().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry_names(files: &[&str]) -> Vec<String> {
        let files: Vec<FileName> = files.iter().map(|name| name.parse().unwrap()).collect();
        EntryName::for_files(&files).into_iter().map(|name| name.0).collect()
    }

    #[test]
    fn portable_names_are_kept() {
        let names = [
            "a.pdf",
            "Ünï (2).pdf",
            "見積書.pdf",
            ".gitignore",
            " a",
            "a b",
            "CONSOLE",
            "COM10.txt",
            "a.CON",
            "x.tar.gz",
            "%TEMP%",
            "-rf",
            "~$a.docx",
            "👩\u{200d}🚀.png",
        ];
        assert_eq!(entry_names(&names), names);
    }

    #[test]
    fn windows_characters_are_replaced() {
        for (file, entry) in [
            ("<a>:\"b\"\\c|d?e*.txt", "_a___b__c_d_e_.txt"),
            ("beforecolon:aftercolon.txt", "beforecolon_aftercolon.txt"),
            ("..\\..\\evil.exe", ".._.._evil.exe"),
            ("C:\\Windows\\a.dll", "C__Windows_a.dll"),
            ("\\\\host\\share", "__host_share"),
        ] {
            assert_eq!(entry_names(&[file]), [entry]);
        }
    }

    #[test]
    fn trailing_dots_and_spaces_are_replaced() {
        for (file, entry) in [
            ("a.", "a_"),
            ("a ", "a_"),
            ("a. .", "a___"),
            ("...", "___"),
            ("a.txt ", "a.txt_"),
            (" ", "file"),
        ] {
            assert_eq!(entry_names(&[file]), [entry]);
        }
    }

    #[test]
    fn windows_device_names_are_changed() {
        for (file, entry) in [
            ("CON", "CON_"),
            ("nul.txt", "nul_.txt"),
            ("aux.ts", "aux_.ts"),
            ("Aux.tar.gz", "Aux_.tar.gz"),
            ("com1", "com1_"),
            ("LPT0.log", "LPT0_.log"),
            ("COM¹.txt", "COM¹_.txt"),
            ("PRN .txt", "PRN_ .txt"),
            ("CONIN$", "CONIN$_"),
            ("con.", "con_"),
            ("con .", "con__"),
        ] {
            assert_eq!(entry_names(&[file]), [entry]);
        }
    }

    #[test]
    fn invisible_control_characters_are_removed() {
        for (file, entry) in [
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("\u{202e}..", "__"),
            ("\u{2066}CON\u{2069}", "CON_"),
            ("a\u{2028}b", "a b"),
        ] {
            assert_eq!(entry_names(&[file]), [entry]);
        }
    }

    #[test]
    fn names_that_differ_only_in_case_are_numbered() {
        assert_eq!(entry_names(&["a.pdf", "A.pdf"]), ["a.pdf", "A (2).pdf"]);
        assert_eq!(entry_names(&["A", "a", "Ä", "ä"]), ["A", "a (2)", "Ä", "ä (2)"]);
        assert_eq!(entry_names(&[".Env", ".env"]), [".Env", ".env (2)"]);
        // Case folding changes the length of some letters.
        assert_eq!(entry_names(&["STRASSE", "straße", "straẞe"]), ["STRASSE", "straße (2)", "straẞe (3)"]);
        assert_eq!(entry_names(&["σ", "ς", "Σ"]), ["σ", "ς (2)", "Σ (3)"]);
        assert_eq!(entry_names(&["K", "\u{212a}"]), ["K", "K (2)"]);
    }

    #[test]
    fn composed_and_decomposed_names_are_numbered() {
        assert_eq!(entry_names(&["ü.txt", "u\u{308}.txt"]), ["ü.txt", "ü (2).txt"]);
        assert_eq!(entry_names(&["u\u{308}.txt"]), ["ü.txt"]);
        assert_eq!(entry_names(&["sen\u{303}or.png", "señor.png"]), ["señor.png", "señor (2).png"]);
        assert_eq!(entry_names(&["\u{1f80}", "\u{1f88}"]), ["\u{1f80}", "\u{1f88} (2)"]);
    }

    #[test]
    fn numbered_name_never_meets_another_file() {
        assert_eq!(entry_names(&["a.pdf", "A.pdf", "A (2).pdf"]), ["a.pdf", "A (3).pdf", "A (2).pdf"]);
        assert_eq!(entry_names(&["a:b", "a_b", "a?b"]), ["a_b (2)", "a_b", "a_b (3)"]);
        assert_eq!(entry_names(&["a:b", "A*B"]), ["a_b", "A_B (2)"]);
    }

    #[test]
    fn long_names_stay_within_the_limit() {
        let (lower, upper) = ("x".repeat(251) + ".pdf", "X".repeat(251) + ".pdf");
        assert_eq!(entry_names(&[&lower, &upper]), [lower.clone(), format!("{} (2).pdf", "X".repeat(247))]);
        let device = format!("con.{}", "x".repeat(251));
        assert_eq!(entry_names(&[&device]), [format!("con_.{}", "x".repeat(250))]);
        let umlauts = ("ü".repeat(127), "Ü".repeat(127));
        let names = entry_names(&[&umlauts.0, &umlauts.1]);
        assert_eq!(names[1], format!("{} (2)", "Ü".repeat(125)));
    }

    #[test]
    fn folding_ignores_the_case_of_every_letter() {
        for c in '\0'..=char::MAX {
            let variants: [String; 2] = [c.to_lowercase().collect(), c.to_uppercase().collect()];
            for variant in variants.iter().filter(|variant| !variant.chars().eq([c])) {
                assert_eq!(fold(variant), fold(&c.to_string()), "{c:?}");
            }
        }
    }

    /// Checks a name against Microsoft's rules, written down a second time.
    fn is_portable(name: &str) -> bool {
        let base = name.split('.').next().unwrap().trim_end().to_uppercase();
        let mut devices = vec!["CON".to_owned(), "PRN".into(), "AUX".into(), "NUL".into()];
        devices.extend("0123456789¹²³".chars().flat_map(|n| [format!("COM{n}"), format!("LPT{n}")]));
        !name.is_empty()
            && name.encode_utf16().count() <= 255
            && name.len() <= 255
            && name.chars().all(|c| c >= ' ' && !"<>:\"/\\|?*\u{7f}".contains(c))
            && !name.ends_with(['.', ' '])
            && !devices.contains(&base)
            && name.nfc().eq(name.chars())
    }

    fn any_file_name() -> impl Strategy<Value = FileName> {
        let tricky = "(con|NUL|com1|Lpt²|aux|a|A|ß|SS|ü|u\u{308}|İ|[.]|[.]pdf|[ ]|[ ][(]2[)]|[:*?\\\\<>|\"_]|\u{202e}){1,5}";
        prop_oneof![tricky, "\\PC{1,255}", "[aAß:. ]{240,255}"]
            .prop_filter_map("not a file name", |name| name.parse().ok())
    }

    proptest! {
        #[test]
        fn entry_names_are_unique_and_portable(files in prop::collection::vec(any_file_name(), 0..40)) {
            let names = EntryName::for_files(&files);
            prop_assert_eq!(names.len(), files.len());
            let mut seen = HashSet::new();
            for name in &names {
                prop_assert!(is_portable(name.as_str()), "{}", name.as_str());
                let caseless: String = name.as_str().to_uppercase().to_lowercase().nfc().collect();
                prop_assert!(seen.insert(caseless), "{}", name.as_str());
            }
            prop_assert_eq!(EntryName::for_files(&files), names);
        }

        #[test]
        fn portable_name_without_a_rival_is_kept(files in prop::collection::hash_set("[b-e]{1,3}( [(][2-4][)])?[.]pdf", 1..40)) {
            let files: Vec<&str> = files.iter().map(String::as_str).collect();
            prop_assert_eq!(entry_names(&files), files);
        }
    }
}

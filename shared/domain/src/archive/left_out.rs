//! The text about the files that an archive lacks.

use std::fmt::Write as _;

use crate::FileName;

/// A file that is not in the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    pub name: FileName,
    pub reason: LeftOutReason,
}

/// Why a file is not in the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOutReason {
    /// The object does not exist.
    Missing,
    /// The object's storage class cannot be read without a restoration.
    Archived,
    /// S3 refuses to return the object, for example because its key is disabled.
    Unreadable,
}

/// Returns the name of the text file. The underscore puts it in front of most names.
pub(super) fn note_name() -> Option<FileName> {
    "_Missing files.txt".parse().ok()
}

/// A language of the text.
struct Texts {
    title: &'static str,
    introduction: &'static str,
    reason: fn(LeftOutReason) -> &'static str,
    advice: &'static str,
}

/// The archive is made once for all recipients, so their language is unknown.
const LANGUAGES: [Texts; 2] = [
    Texts {
        title: "Some files are missing from this archive",
        introduction: "These files were shared with you, but could not be added:",
        reason: |reason| match reason {
            LeftOutReason::Missing => "The file was moved or removed.",
            LeftOutReason::Archived => {
                "The file is in long-term storage and must be restored before it can be downloaded."
            }
            LeftOutReason::Unreadable => "The file could not be opened.",
        },
        advice: "If you need them, ask the person who sent you the link.",
    },
    Texts {
        title: "In diesem Archiv fehlen Dateien",
        introduction: "Diese Dateien wurden mit Ihnen geteilt, ließen sich aber nicht hinzufügen:",
        reason: |reason| match reason {
            LeftOutReason::Missing => "Die Datei wurde verschoben oder entfernt.",
            LeftOutReason::Archived => {
                "Die Datei liegt in einem Langzeitspeicher und muss vor dem Herunterladen wiederhergestellt werden."
            }
            LeftOutReason::Unreadable => "Die Datei ließ sich nicht öffnen.",
        },
        advice: "Wenn Sie sie brauchen, fragen Sie die Person, die Ihnen den Link geschickt hat.",
    },
];

/// Returns the text, in English and German. Old versions of Windows Notepad need the byte order mark to
/// recognize UTF-8, and `\r\n` at the end of lines.
pub(super) fn note(left_out: &[LeftOut]) -> String {
    let mut text = String::from("\u{feff}");
    for (index, language) in LANGUAGES.iter().enumerate() {
        if index > 0 {
            text.push_str("\r\n\r\n");
        }
        let underline = "=".repeat(language.title.chars().count());
        let _ = write!(text, "{}\r\n{underline}\r\n\r\n{}\r\n\r\n", language.title, language.introduction);
        for file in left_out {
            let reason = (language.reason)(file.reason);
            let _ = write!(text, "- {}\r\n  {reason}\r\n", file.name.to_display_text());
        }
        let _ = write!(text, "\r\n{}\r\n", language.advice);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn note_names_the_files_in_two_languages() {
        let left_out = [
            LeftOut { name: "Plan.pdf".parse().unwrap(), reason: LeftOutReason::Missing },
            LeftOut { name: "a\u{202e}b\u{2028}c".parse().unwrap(), reason: LeftOutReason::Archived },
            LeftOut { name: "見積書.xlsx".parse().unwrap(), reason: LeftOutReason::Unreadable },
        ];
        assert_eq!(
            note(&left_out),
            "\u{feff}Some files are missing from this archive\r\n\
             ========================================\r\n\
             \r\n\
             These files were shared with you, but could not be added:\r\n\
             \r\n\
             - Plan.pdf\r\n  The file was moved or removed.\r\n\
             - ab c\r\n  The file is in long-term storage and must be restored before it can be downloaded.\r\n\
             - 見積書.xlsx\r\n  The file could not be opened.\r\n\
             \r\n\
             If you need them, ask the person who sent you the link.\r\n\
             \r\n\
             \r\n\
             In diesem Archiv fehlen Dateien\r\n\
             ===============================\r\n\
             \r\n\
             Diese Dateien wurden mit Ihnen geteilt, ließen sich aber nicht hinzufügen:\r\n\
             \r\n\
             - Plan.pdf\r\n  Die Datei wurde verschoben oder entfernt.\r\n\
             - ab c\r\n  Die Datei liegt in einem Langzeitspeicher und muss vor dem Herunterladen wiederhergestellt werden.\r\n\
             - 見積書.xlsx\r\n  Die Datei ließ sich nicht öffnen.\r\n\
             \r\n\
             Wenn Sie sie brauchen, fragen Sie die Person, die Ihnen den Link geschickt hat.\r\n"
        );
    }

    #[test]
    fn name_of_the_note_is_valid() {
        assert_eq!(note_name().unwrap().as_str(), "_Missing files.txt");
    }
}

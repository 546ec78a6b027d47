//! All text on the pages for recipients, in each supported language.

use askama::filters::filesizeformat;
use chrono::{DateTime, Datelike, FixedOffset};
use sharelink_domain::TimeLeft;
use sharelink_domain::archive::LeftOutReason;
use sharelink_domain::date_text::format_in_english;
use sharelink_http::ProblemType;

use crate::file_kind::FileKind;

/// A supported page language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    German,
}

const GERMAN_MONTHS: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

const GERMAN_WEEKDAYS: [&str; 7] =
    ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"];

impl Language {
    /// Returns the supported language that the browser prefers (RFC 9110, section 12.5.4). Default:
    /// English.
    pub(crate) fn preferred(accept_language: Option<&str>) -> Self {
        let mut best = (0.0, Self::English);
        for range in accept_language.unwrap_or_default().split(',') {
            let mut parts = range.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
            let language = match tag.split('-').next() {
                Some("en" | "*") => Self::English,
                Some("de") => Self::German,
                _ => continue,
            };
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }

    /// Returns the language tag for the `lang` attribute.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// Returns what the page for link previewers says.
    pub(crate) fn open_in_browser(self) -> &'static str {
        match self {
            Self::English => "Open this link in a browser to get the files.",
            Self::German => "Öffnen Sie diesen Link in einem Browser, um die Dateien zu erhalten.",
        }
    }

    /// Returns the title of the page that lists a share's files.
    pub(crate) fn shared_files(self) -> &'static str {
        match self {
            Self::English => "Shared files",
            Self::German => "Geteilte Dateien",
        }
    }

    /// Returns the part of the heading that follows the sharer's name.
    pub(crate) fn heading_after_sharer(self, files: usize) -> String {
        match (self, files) {
            (Self::English, 1) => "shared a file with you".to_owned(),
            (Self::English, _) => format!("shared {files} files with you"),
            (Self::German, 1) => "hat eine Datei mit Ihnen geteilt".to_owned(),
            (Self::German, _) => format!("hat {files} Dateien mit Ihnen geteilt"),
        }
    }

    /// Returns the heading used if the sharer's name is unknown.
    pub(crate) fn heading_without_sharer(self, files: usize) -> String {
        match (self, files) {
            (Self::English, 1) => "A file was shared with you".to_owned(),
            (Self::English, _) => format!("{files} files were shared with you"),
            (Self::German, 1) => "Eine Datei wurde mit Ihnen geteilt".to_owned(),
            (Self::German, _) => format!("{files} Dateien wurden mit Ihnen geteilt"),
        }
    }

    /// Formats a file size, such as `41.9 kB`.
    pub(crate) fn size(self, bytes: u64) -> String {
        let Ok(size) = filesizeformat(bytes.into(), 2);
        match self {
            Self::English => size.to_string(),
            Self::German => size.to_string().replace('.', ","),
        }
    }

    /// Returns the number of files and their total size.
    pub(crate) fn total(self, files: usize, bytes: u64) -> String {
        let size = self.size(bytes);
        match (self, files) {
            (Self::English, 1) => format!("1 file, {size}"),
            (Self::English, _) => format!("{files} files, {size} in total"),
            (Self::German, 1) => format!("1 Datei, {size}"),
            (Self::German, _) => format!("{files} Dateien, insgesamt {size}"),
        }
    }

    /// Returns the label of the link to an archive of all files.
    pub(crate) fn download_all(self, files: usize, bytes: u64) -> String {
        let size = self.size(bytes);
        match self {
            Self::English => format!("Download all ({files} files, {size})"),
            Self::German => format!("Alle herunterladen ({files} Dateien, {size})"),
        }
    }

    /// Returns the title of the page that is shown while an archive is made.
    pub(crate) fn preparing(self) -> &'static str {
        match self {
            Self::English => "Preparing your download",
            Self::German => "Ihr Download wird vorbereitet",
        }
    }

    /// Returns what happens while an archive is made.
    pub(crate) fn preparing_text(self) -> &'static str {
        match self {
            Self::English => {
                "All files are being put into one archive. The download starts automatically as soon as it is ready. Keep this page open until then."
            }
            Self::German => {
                "Alle Dateien werden zu einem Archiv zusammengestellt. Der Download beginnt automatisch, sobald es fertig ist. Lassen Sie diese Seite bis dahin geöffnet."
            }
        }
    }

    /// Formats a percentage.
    pub(crate) fn percent(self, percent: u64) -> String {
        match self {
            Self::English => format!("{percent}%"),
            Self::German => format!("{percent}\u{a0}%"),
        }
    }

    /// Returns how much of an archive is made.
    pub(crate) fn progress(self, bytes_done: u64, bytes: u64) -> String {
        let (done, all) = (self.size(bytes_done), self.size(bytes));
        match self {
            Self::English => format!("{done} of {all}"),
            Self::German => format!("{done} von {all}"),
        }
    }

    /// Returns the heading of the files that an archive will lack.
    pub(crate) fn left_out_heading(self) -> &'static str {
        match self {
            Self::English => "These files cannot be included:",
            Self::German => "Diese Dateien können nicht aufgenommen werden:",
        }
    }

    /// Returns why an archive will lack a file.
    pub(crate) fn left_out(self, reason: LeftOutReason) -> &'static str {
        match (self, reason) {
            (Self::English, LeftOutReason::Missing) => "moved or removed",
            (Self::German, LeftOutReason::Missing) => "verschoben oder entfernt",
            (Self::English, LeftOutReason::Archived) => "in long-term storage",
            (Self::German, LeftOutReason::Archived) => "in einem Langzeitspeicher",
            (Self::English, LeftOutReason::Unreadable) => "cannot be opened",
            (Self::German, LeftOutReason::Unreadable) => "lässt sich nicht öffnen",
        }
    }

    /// Returns the kind of a file, such as `PDF document`.
    pub(crate) fn kind(self, kind: FileKind<'_>) -> String {
        let (english, german) = match kind {
            FileKind::Archive => ("Archive", "Archiv"),
            FileKind::Audio => ("Audio", "Audio"),
            FileKind::Document => ("Document", "Dokument"),
            FileKind::Email => ("Email", "E-Mail"),
            FileKind::Image => ("Image", "Bild"),
            FileKind::Pdf => ("PDF document", "PDF-Dokument"),
            FileKind::Presentation => ("Presentation", "Präsentation"),
            FileKind::Program => ("Program", "Programm"),
            FileKind::Spreadsheet => ("Spreadsheet", "Tabelle"),
            FileKind::Text => ("Text", "Text"),
            FileKind::Video => ("Video", "Video"),
            FileKind::WebPage => ("Web page", "Webseite"),
            FileKind::NoExtension => ("File", "Datei"),
            FileKind::Other(extension) => {
                let extension = extension.to_ascii_uppercase();
                return match self {
                    Self::English => format!("{extension} file"),
                    Self::German => format!("{extension}-Datei"),
                };
            }
        };
        match self {
            Self::English => english.to_owned(),
            Self::German => german.to_owned(),
        }
    }

    /// Returns the words before the time left.
    pub(crate) fn access_ends(self) -> &'static str {
        match self {
            Self::English => "Access ends",
            Self::German => "Der Zugriff endet",
        }
    }

    /// Returns the time left in words, such as `in 7 days`.
    pub(crate) fn time_left(self, left: TimeLeft) -> String {
        match (self, left) {
            (Self::English, TimeLeft::LessThanAMinute) => "in less than a minute".to_owned(),
            (Self::English, TimeLeft::Minutes(1)) => "in 1 minute".to_owned(),
            (Self::English, TimeLeft::Minutes(n)) => format!("in {n} minutes"),
            (Self::English, TimeLeft::Hours(n)) => format!("in {n} hours"),
            (Self::English, TimeLeft::Days(n)) => format!("in {n} days"),
            (Self::English, TimeLeft::MoreThanYears(1)) => "in more than a year".to_owned(),
            (Self::English, TimeLeft::MoreThanYears(n)) => format!("in more than {n} years"),
            (Self::German, TimeLeft::LessThanAMinute) => "in weniger als einer Minute".to_owned(),
            (Self::German, TimeLeft::Minutes(1)) => "in 1 Minute".to_owned(),
            (Self::German, TimeLeft::Minutes(n)) => format!("in {n} Minuten"),
            (Self::German, TimeLeft::Hours(n)) => format!("in {n} Stunden"),
            (Self::German, TimeLeft::Days(n)) => format!("in {n} Tagen"),
            (Self::German, TimeLeft::MoreThanYears(1)) => "in mehr als einem Jahr".to_owned(),
            (Self::German, TimeLeft::MoreThanYears(n)) => format!("in mehr als {n} Jahren"),
        }
    }

    /// Returns the preposition between the time left and the date.
    pub(crate) fn on(self) -> &'static str {
        match self {
            Self::English => "on",
            Self::German => "am",
        }
    }

    /// Formats a time with its weekday and UTC offset.
    pub(crate) fn date(self, at: DateTime<FixedOffset>) -> String {
        match self {
            Self::English => format!("{}, {}", at.format("%A"), format_in_english(at)),
            Self::German => {
                let weekday = GERMAN_WEEKDAYS[at.weekday().num_days_from_monday() as usize];
                let month = GERMAN_MONTHS[at.month0() as usize];
                let offset = if at.offset().local_minus_utc() == 0 { "" } else { "%:z" };
                at.format(&format!("{weekday}, dem %-d. {month} %Y, um %H:%M Uhr (UTC{offset})")).to_string()
            }
        }
    }

    /// Returns the heading of the sharer's message. The sharer's name follows it, if known.
    pub(crate) fn message_heading(self, has_sharer: bool) -> &'static str {
        match (self, has_sharer) {
            (Self::English, true) => "Message from",
            (Self::English, false) => "Message",
            (Self::German, true) => "Nachricht von",
            (Self::German, false) => "Nachricht",
        }
    }

    /// Returns the label of the link past a long message.
    pub(crate) fn skip_to_files(self) -> &'static str {
        match self {
            Self::English => "Go to the files",
            Self::German => "Zu den Dateien",
        }
    }

    /// Returns what to do about a download that stops. Browsers continue a download automatically only at the
    /// signed URL, and only until it expires.
    pub(crate) fn stopped_download(self) -> &'static str {
        match self {
            Self::English => "If a download stops, select the file again to restart it.",
            Self::German => {
                "Wenn ein Download abbricht, wählen Sie die Datei noch einmal aus, um ihn neu zu starten."
            }
        }
    }

    /// Returns the label of the link that repeats a failed request.
    pub(crate) fn try_again(self) -> &'static str {
        match self {
            Self::English => "Try again",
            Self::German => "Noch einmal versuchen",
        }
    }

    /// Returns the label of the link from a file's problem to the list of files.
    pub(crate) fn back_to_files(self) -> &'static str {
        match self {
            Self::English => "Back to the files",
            Self::German => "Zurück zu den Dateien",
        }
    }

    /// Returns the text of the page of a link that has ended, before and after the sharer's name.
    pub(crate) fn ask_sharer(self) -> (&'static str, &'static str) {
        match self {
            Self::English => ("The files are no longer shared with you. If you still need them, ask ", "."),
            Self::German => (
                "Die Dateien werden nicht mehr mit Ihnen geteilt. Wenn Sie sie noch brauchen, fragen Sie ",
                ".",
            ),
        }
    }

    /// Returns the title and text of a problem's page.
    pub(crate) fn problem(self, problem: ProblemType) -> (&'static str, &'static str) {
        match (self, problem) {
            (Self::English, ProblemType::AccessEnded) => (
                "This link is no longer valid",
                "The files are no longer shared with you. If you still need them, ask the person who sent you the link.",
            ),
            (Self::German, ProblemType::AccessEnded) => (
                "Dieser Link ist nicht mehr gültig",
                "Die Dateien werden nicht mehr mit Ihnen geteilt. Wenn Sie sie noch brauchen, fragen Sie die Person, die Ihnen den Link geschickt hat.",
            ),
            (Self::English, ProblemType::FileMissing) => (
                "The file is not available right now",
                "Your link is valid, but the file has been moved or removed. Try again later, or ask the person who sent you the link.",
            ),
            (Self::German, ProblemType::FileMissing) => (
                "Die Datei ist gerade nicht verfügbar",
                "Ihr Link ist gültig, aber die Datei wurde verschoben oder entfernt. Versuchen Sie es später noch einmal, oder fragen Sie die Person, die Ihnen den Link geschickt hat.",
            ),
            (Self::English, ProblemType::FileArchived) => (
                "The file is archived",
                "Your link is valid, but the file has to be restored from an archive before it can be downloaded. Ask the person who sent you the link to have it restored, then open the link again.",
            ),
            (Self::German, ProblemType::FileArchived) => (
                "Die Datei ist archiviert",
                "Ihr Link ist gültig, aber die Datei muss vor dem Herunterladen aus einem Archiv wiederhergestellt werden. Bitten Sie die Person, die Ihnen den Link geschickt hat, sie wiederherstellen zu lassen, und öffnen Sie den Link dann noch einmal.",
            ),
            (Self::English, ProblemType::FileForbidden) => (
                "The file cannot be opened right now",
                "Your link is valid, but a problem on our side prevents the download. Try again later, or tell the person who sent you the link.",
            ),
            (Self::German, ProblemType::FileForbidden) => (
                "Die Datei lässt sich gerade nicht öffnen",
                "Ihr Link ist gültig, aber ein Fehler auf unserer Seite verhindert den Download. Versuchen Sie es später noch einmal, oder geben Sie der Person Bescheid, die Ihnen den Link geschickt hat.",
            ),
            (Self::English, ProblemType::ArchiveTooLarge) => (
                "The files are too large for one archive",
                "Your link is valid, but there are too many files, or they are too large, to download them all at once. Download them one by one.",
            ),
            (Self::German, ProblemType::ArchiveTooLarge) => (
                "Die Dateien sind zu groß für ein Archiv",
                "Ihr Link ist gültig, aber es sind zu viele Dateien, oder sie sind zu groß, um sie alle auf einmal herunterzuladen. Laden Sie sie einzeln herunter.",
            ),
            (Self::English, ProblemType::UnknownLink) => (
                "This link does not work",
                "It may have been cut off, altered or replaced. Open the link in the latest email, or ask the person who sent it.",
            ),
            (Self::German, ProblemType::UnknownLink) => (
                "Dieser Link funktioniert nicht",
                "Vielleicht wurde er abgeschnitten, verändert oder ersetzt. Öffnen Sie den Link in der neuesten E-Mail, oder fragen Sie die Person, die ihn geschickt hat.",
            ),
            (Self::English, ProblemType::LinkPaused) => (
                "This link is paused at the moment",
                "You do not need a new link. Open this one again later, or ask the person who sent it.",
            ),
            (Self::German, ProblemType::LinkPaused) => (
                "Dieser Link ist gerade pausiert",
                "Sie brauchen keinen neuen Link. Öffnen Sie diesen später noch einmal, oder fragen Sie die Person, die ihn geschickt hat.",
            ),
            (Self::English, ProblemType::PrefetchRefused) => (
                "Open the link again",
                "Your browser requested this page in advance. Open the link again to get the files.",
            ),
            (Self::German, ProblemType::PrefetchRefused) => (
                "Öffnen Sie den Link noch einmal",
                "Ihr Browser hat diese Seite im Voraus angefordert. Öffnen Sie den Link noch einmal, um die Dateien zu erhalten.",
            ),
            (Self::English, _) => {
                ("Please try again", "We could not get the file just now. Open the link again in a moment.")
            }
            (Self::German, _) => (
                "Bitte versuchen Sie es noch einmal",
                "Die Datei konnte gerade nicht abgerufen werden. Öffnen Sie den Link gleich noch einmal.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_language_follows_accept_language() {
        for (accept_language, expected) in [
            (None, Language::English),
            (Some("de"), Language::German),
            (Some("de-AT,de;q=0.9,en;q=0.8"), Language::German),
            (Some("en-GB,en;q=0.9,de;q=0.8"), Language::English),
            (Some("fr, de;q=0.5, en;q=0.3"), Language::German),
            (Some("en;q=0.1, DE;q=0.2"), Language::German),
            (Some("fr"), Language::English),
            (Some("*"), Language::English),
            (Some("de;q=0"), Language::English),
            (Some("de;q=x, ;;,=,"), Language::German),
        ] {
            assert_eq!(Language::preferred(accept_language), expected, "{accept_language:?}");
        }
    }

    #[test]
    fn sizes_and_times_are_localized() {
        assert_eq!(Language::English.size(41_900), "41.9 kB");
        assert_eq!(Language::German.size(41_900), "41,9 kB");

        let at = DateTime::parse_from_rfc3339("2026-12-03T23:59:00+01:00").unwrap();
        assert_eq!(Language::English.date(at), "Thursday, 3 December 2026 at 23:59 (UTC+01:00)");
        assert_eq!(Language::German.date(at), "Donnerstag, dem 3. Dezember 2026, um 23:59 Uhr (UTC+01:00)");
        assert_eq!(Language::German.date(at.to_utc().fixed_offset()).split("Uhr ").last(), Some("(UTC)"));
        assert_eq!(Language::English.time_left(TimeLeft::Hours(5)), "in 5 hours");
        assert_eq!(Language::German.time_left(TimeLeft::MoreThanYears(2)), "in mehr als 2 Jahren");
    }

    #[test]
    fn unknown_kind_shows_the_extension() {
        assert_eq!(Language::English.kind(FileKind::of("a.dwg")), "DWG file");
        assert_eq!(Language::German.kind(FileKind::of("a.dwg")), "DWG-Datei");
        assert_eq!(Language::German.kind(FileKind::of("LIESMICH")), "Datei");
        assert_eq!(Language::German.kind(FileKind::of("a.pdf")), "PDF-Dokument");
    }
}

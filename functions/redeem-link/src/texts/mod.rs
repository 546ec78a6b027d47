//! All text on the pages for recipients. Each language has a file, which the compiler rejects if a text is
//! missing.
//!
//! Names of people and files follow or precede the texts, and are never inflected.

mod da;
mod de;
mod en;
mod es;
mod fr;
mod nl;
mod sv;

use sharelink_domain::Language;
use sharelink_domain::archive::LeftOutReason;
use sharelink_http::ProblemType;

use crate::file_kind::FileKind;

/// The texts in one language.
pub(crate) struct Texts {
    pub(crate) language: Language,
    /// What the page for link previewers says.
    pub(crate) open_in_browser: &'static str,
    /// The title of the page that lists a share's files.
    pub(crate) shared_files: &'static str,
    /// The part of the heading that follows the sharer's name. Depends on the number of files.
    pub(crate) heading_after_sharer: fn(usize) -> String,
    /// The heading used if the sharer's name is unknown.
    pub(crate) heading_without_sharer: fn(usize) -> String,
    /// The number of files and their total size.
    pub(crate) total: fn(usize, &str) -> String,
    /// The label of the link to an archive of all files, which are several.
    pub(crate) download_all: fn(usize, &str) -> String,
    /// The title of the page that is shown while an archive is made.
    pub(crate) preparing: &'static str,
    pub(crate) preparing_text: &'static str,
    /// How much of an archive is made: a size, of another.
    pub(crate) progress: fn(&str, &str) -> String,
    /// The heading of the files that an archive will lack.
    pub(crate) left_out_heading: &'static str,
    left_out: LeftOutTexts,
    kinds: KindTexts,
    /// The words before the time left.
    pub(crate) access_ends: &'static str,
    /// What precedes a date with its weekday, with a space if it needs one.
    pub(crate) on: &'static str,
    /// The heading of the sharer's message, before the sharer's name.
    pub(crate) message_from: &'static str,
    /// The heading of the sharer's message if the sharer's name is unknown.
    pub(crate) message: &'static str,
    /// The label of the link past a long message.
    pub(crate) skip_to_files: &'static str,
    /// What to do about a download that stops. Browsers continue a download automatically only at the signed
    /// URL, and only until it expires.
    pub(crate) stopped_download: &'static str,
    /// The label of the link that repeats a failed request.
    pub(crate) try_again: &'static str,
    /// The label of the link from a file's problem to the list of files.
    pub(crate) back_to_files: &'static str,
    /// The label of the link to the platform's imprint.
    pub(crate) imprint: &'static str,
    /// The text of the page of a link that has ended, before and after the sharer's name.
    pub(crate) ask_sharer: (&'static str, &'static str),
    pub(crate) more_time: MoreTimeTexts,
    pub(crate) emails: EmailTexts,
    problems: ProblemTexts,
}

/// Requests for more time. Titles are followed by the text of their page.
pub(crate) struct MoreTimeTexts {
    /// What the page of a link that has ended offers. It is the same for expired and revoked shares, so it
    /// promises nothing.
    pub(crate) ask: &'static str,
    pub(crate) button: &'static str,
    /// The page that follows.
    pub(crate) asked: (&'static str, &'static str),
    /// The page that follows if the sharer has given more time since the form was shown.
    pub(crate) granted: (&'static str, &'static str),
}

/// The choice about emails. Titles are followed by the text of their page.
pub(crate) struct EmailTexts {
    /// The labels of the link to the choice.
    pub(crate) stop_link: &'static str,
    pub(crate) stopped_link: &'static str,
    /// The page that asks whether to stop emails.
    pub(crate) stop: (&'static str, &'static str),
    pub(crate) stop_button: &'static str,
    /// The page of a share whose emails are stopped.
    pub(crate) stopped: (&'static str, &'static str),
    pub(crate) allow_button: &'static str,
    /// The page that follows when they are allowed again.
    pub(crate) allowed: (&'static str, &'static str),
}

/// Why an archive will lack a file.
struct LeftOutTexts {
    missing: &'static str,
    archived: &'static str,
    unreadable: &'static str,
}

/// The kinds of files.
struct KindTexts {
    archive: &'static str,
    audio: &'static str,
    document: &'static str,
    email: &'static str,
    image: &'static str,
    pdf: &'static str,
    presentation: &'static str,
    program: &'static str,
    spreadsheet: &'static str,
    text: &'static str,
    video: &'static str,
    web_page: &'static str,
    no_extension: &'static str,
    /// A file with this extension, in capitals.
    other: fn(&str) -> String,
}

/// The title and text of each problem's page.
struct ProblemTexts {
    access_ended: (&'static str, &'static str),
    file_missing: (&'static str, &'static str),
    file_archived: (&'static str, &'static str),
    file_forbidden: (&'static str, &'static str),
    archive_too_large: (&'static str, &'static str),
    unknown_link: (&'static str, &'static str),
    link_paused: (&'static str, &'static str),
    prefetch_refused: (&'static str, &'static str),
    /// Every other problem.
    failed: (&'static str, &'static str),
}

impl Texts {
    /// Returns the texts in a language.
    pub(crate) fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &en::TEXTS,
            Language::German => &de::TEXTS,
            Language::French => &fr::TEXTS,
            Language::Spanish => &es::TEXTS,
            Language::Danish => &da::TEXTS,
            Language::Dutch => &nl::TEXTS,
            Language::Swedish => &sv::TEXTS,
        }
    }

    /// Returns why an archive will lack a file.
    pub(crate) fn left_out(&self, reason: LeftOutReason) -> &'static str {
        match reason {
            LeftOutReason::Missing => self.left_out.missing,
            LeftOutReason::Archived => self.left_out.archived,
            LeftOutReason::Unreadable => self.left_out.unreadable,
        }
    }

    /// Returns the kind of a file, such as `PDF document`.
    pub(crate) fn kind(&self, kind: FileKind<'_>) -> String {
        let kinds = &self.kinds;
        let text = match kind {
            FileKind::Archive => kinds.archive,
            FileKind::Audio => kinds.audio,
            FileKind::Document => kinds.document,
            FileKind::Email => kinds.email,
            FileKind::Image => kinds.image,
            FileKind::Pdf => kinds.pdf,
            FileKind::Presentation => kinds.presentation,
            FileKind::Program => kinds.program,
            FileKind::Spreadsheet => kinds.spreadsheet,
            FileKind::Text => kinds.text,
            FileKind::Video => kinds.video,
            FileKind::WebPage => kinds.web_page,
            FileKind::NoExtension => kinds.no_extension,
            FileKind::Other(extension) => return (kinds.other)(&extension.to_ascii_uppercase()),
        };
        text.to_owned()
    }

    /// Returns the title and text of a problem's page.
    pub(crate) fn problem(&self, problem: ProblemType) -> (&'static str, &'static str) {
        let problems = &self.problems;
        match problem {
            ProblemType::AccessEnded => problems.access_ended,
            ProblemType::FileMissing => problems.file_missing,
            ProblemType::FileArchived => problems.file_archived,
            ProblemType::FileForbidden => problems.file_forbidden,
            ProblemType::ArchiveTooLarge => problems.archive_too_large,
            ProblemType::UnknownLink => problems.unknown_link,
            ProblemType::LinkPaused => problems.link_paused,
            ProblemType::PrefetchRefused => problems.prefetch_refused,
            _ => problems.failed,
        }
    }
}

#[cfg(test)]
mod tests;

//! The kinds of files, as recipients know them.

use sharelink_domain::names::is_invisible;

/// What a file's name says about its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind<'a> {
    Archive,
    Audio,
    Document,
    Email,
    Image,
    Pdf,
    Presentation,
    /// A file that a computer runs. A name such as `photo.jpg.exe` must not pass for an image.
    Program,
    Spreadsheet,
    Text,
    Video,
    WebPage,
    /// A file with this extension, which is in ASCII.
    Other(&'a str),
    NoExtension,
}

impl<'a> FileKind<'a> {
    /// Returns the kind that a file's extension stands for. Extensions with several meanings, such as `ts`
    /// and `key`, stand for none.
    pub(crate) fn of(name: &'a str) -> Self {
        let Some(extension) = extension(name) else { return Self::NoExtension };
        match extension.to_ascii_lowercase().as_str() {
            "7z" | "bz2" | "gz" | "rar" | "tar" | "tgz" | "xz" | "zip" | "zst" => Self::Archive,
            "aac" | "aif" | "aiff" | "flac" | "m4a" | "mp3" | "ogg" | "opus" | "wav" | "wma" => Self::Audio,
            "doc" | "docm" | "docx" | "odt" | "pages" | "rtf" => Self::Document,
            "eml" | "msg" => Self::Email,
            "avif" | "bmp" | "gif" | "heic" | "heif" | "jpeg" | "jpg" | "png" | "svg" | "tif" | "tiff"
            | "webp" => Self::Image,
            "pdf" => Self::Pdf,
            "odp" | "pps" | "ppsx" | "ppt" | "pptm" | "pptx" => Self::Presentation,
            "action" | "apk" | "app" | "appimage" | "application" | "appx" | "appxbundle" | "bash"
            | "bat" | "chm" | "cmd" | "com" | "command" | "cpl" | "csh" | "deb" | "desktop" | "dll"
            | "dmg" | "exe" | "gadget" | "hta" | "inf" | "jar" | "jnlp" | "js" | "jse" | "ksh" | "lnk"
            | "mjs" | "mpkg" | "msc" | "msi" | "msix" | "msixbundle" | "msp" | "mst" | "ocx" | "pif"
            | "pkg" | "ps1" | "psd1" | "psm1" | "py" | "pyw" | "pyz" | "reg" | "rpm" | "run" | "scf"
            | "scpt" | "scr" | "sct" | "sh" | "shb" | "snap" | "terminal" | "vb" | "vbe" | "vbs"
            | "workflow" | "ws" | "wsc" | "wsf" | "wsh" | "xll" | "zsh" => Self::Program,
            "csv" | "numbers" | "ods" | "tsv" | "xls" | "xlsb" | "xlsm" | "xlsx" => Self::Spreadsheet,
            "log" | "md" | "txt" => Self::Text,
            "avi" | "m4v" | "mkv" | "mov" | "mp4" | "mpeg" | "mpg" | "webm" | "wmv" => Self::Video,
            "htm" | "html" => Self::WebPage,
            _ => Self::Other(extension),
        }
    }
}

/// Returns the part of a name after the last dot, if it looks like an extension: at most 11 ASCII letters and
/// digits, at least one of them a letter. Ignores trailing dots, blanks and invisible characters, which
/// browsers or Windows may remove from the name of a saved file.
fn extension(name: &str) -> Option<&str> {
    let saved = name.trim_end_matches(|c| c == '.' || is_invisible(c));
    let (stem, extension) = saved.rsplit_once('.')?;
    let is_extension = !stem.is_empty()
        && extension.len() <= 11
        && extension.bytes().all(|b| b.is_ascii_alphanumeric())
        && extension.bytes().any(|b| b.is_ascii_alphabetic());
    is_extension.then_some(extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extension_decides_in_any_case() {
        for (name, kind) in [
            ("brief.pdf", FileKind::Pdf),
            ("BRIEF.PDF", FileKind::Pdf),
            ("a.b.Xlsx", FileKind::Spreadsheet),
            ("data.csv.gz", FileKind::Archive),
            ("חשבונית.pdf", FileKind::Pdf),
            ("dieline.dwg", FileKind::Other("dwg")),
            ("disk.ISO", FileKind::Other("ISO")),
            ("video.ts", FileKind::Other("ts")),
            ("x.mp3", FileKind::Audio),
            ("a.pdf.", FileKind::Pdf),
            ("a.pdf ", FileKind::Pdf),
            ("a.pdf\u{200b}", FileKind::Pdf),
        ] {
            assert_eq!(FileKind::of(name), kind, "{name}");
        }
    }

    #[test]
    fn last_extension_decides_on_programs() {
        for name in [
            "photo.jpg.exe",
            "invoice.pdf.scr",
            "harmless_filetxt.exe",
            "budget.com",
            "invoice.exe.",
            "invoice.exe. . ",
            "invoice.pdf.js\u{a0}",
            "Invoice.HTA",
            "setup.application",
            "Archive.DMG",
            "scan.wsf",
            "photo.jpg.msix",
            "install.command",
        ] {
            assert_eq!(FileKind::of(name), FileKind::Program, "{name}");
        }
    }

    #[test]
    fn name_without_an_extension_has_no_kind() {
        for name in [
            "README",
            ".gitignore",
            "a.",
            "a..",
            ". .",
            "Invoice No. 12",
            "v1.5",
            "Notes. Final version",
            "a.averylongextension",
            "файл.документ",
        ] {
            assert_eq!(FileKind::of(name), FileKind::NoExtension, "{name:?}");
        }
    }
}

//! English.

use sharelink_domain::Language;

use super::{EmailTexts, KindTexts, LeftOutTexts, MoreTimeTexts, ProblemTexts, Texts};

pub(super) static TEXTS: Texts = Texts {
    language: Language::English,
    open_in_browser: "Open this link in a browser to get the files.",
    shared_files: "Shared files",
    heading_after_sharer: |files| match files {
        1 => "shared a file with you".to_owned(),
        _ => format!("shared {files} files with you"),
    },
    heading_without_sharer: |files| match files {
        1 => "A file was shared with you".to_owned(),
        _ => format!("{files} files were shared with you"),
    },
    total: |files, size| match files {
        1 => format!("1 file, {size}"),
        _ => format!("{files} files, {size} in total"),
    },
    download_all: |files, size| format!("Download all ({files} files, {size})"),
    preparing: "Preparing your download",
    preparing_text: "All files are being put into one archive. The download starts automatically as soon as it is ready. Keep this page open until then.",
    progress: |done, all| format!("{done} of {all}"),
    left_out_heading: "These files cannot be included:",
    left_out: LeftOutTexts {
        missing: "moved or removed",
        archived: "in long-term storage",
        unreadable: "cannot be opened",
    },
    kinds: KindTexts {
        archive: "Archive",
        audio: "Audio",
        document: "Document",
        email: "Email",
        image: "Image",
        pdf: "PDF document",
        presentation: "Presentation",
        program: "Program",
        spreadsheet: "Spreadsheet",
        text: "Text",
        video: "Video",
        web_page: "Web page",
        no_extension: "File",
        other: |extension| format!("{extension} file"),
    },
    access_ends: "Access ends",
    on: "on ",
    message_from: "Message from",
    message: "Message",
    skip_to_files: "Go to the files",
    stopped_download: "If a download stops, select the file again to restart it.",
    try_again: "Try again",
    back_to_files: "Back to the files",
    imprint: "Legal notice",
    ask_sharer: ("The files are no longer shared with you. If you still need them, ask ", "."),
    more_time: MoreTimeTexts {
        ask: "You can also ask for more time here. The person who shared the files decides about it.",
        button: "Ask for more time",
        asked: (
            "You have asked for more time",
            "The person who shared the files decides about it. If you get more time, the link that you already have works again. You can ask once a day, and three times in all.",
        ),
        granted: ("The link works again", "You have access to the files again."),
    },
    emails: EmailTexts {
        stop_link: "Stop emails about this link",
        stopped_link: "Emails about this link are stopped",
        stop: (
            "Stop emails about this link?",
            "You will get no more emails about this link: no reminder, and no other email with the link. Your link stays as it is. The person who shared the files can see your choice.",
        ),
        stop_button: "Stop emails",
        stopped: ("Emails are stopped", "You get no more emails about this link. Your link stays as it is."),
        allow_button: "Allow emails again",
        allowed: ("Emails are allowed again", "You may get emails about this link again."),
    },
    problems: ProblemTexts {
        access_ended: (
            "This link is no longer valid",
            "The files are no longer shared with you. If you still need them, ask the person who sent you the link.",
        ),
        file_missing: (
            "The file is not available right now",
            "Your link is valid, but the file has been moved or removed. Try again later, or ask the person who sent you the link.",
        ),
        file_archived: (
            "The file is archived",
            "Your link is valid, but the file has to be restored from an archive before it can be downloaded. Ask the person who sent you the link to have it restored, then open the link again.",
        ),
        file_forbidden: (
            "The file cannot be opened right now",
            "Your link is valid, but a problem on our side prevents the download. Try again later, or tell the person who sent you the link.",
        ),
        archive_too_large: (
            "The files are too large for one archive",
            "Your link is valid, but there are too many files, or they are too large, to download them all at once. Download them one by one.",
        ),
        unknown_link: (
            "This link does not work",
            "It may have been cut off, altered or replaced. Open the link in the latest email, or ask the person who sent it.",
        ),
        link_paused: (
            "This link is paused at the moment",
            "You do not need a new link. Open this one again later, or ask the person who sent it.",
        ),
        prefetch_refused: (
            "Open the link again",
            "Your browser requested this page in advance. Open the link again to get the files.",
        ),
        failed: ("Please try again", "We could not get the file just now. Open the link again in a moment."),
    },
};

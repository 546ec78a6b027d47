//! German.

use sharelink_domain::Language;

use super::{EmailTexts, KindTexts, LeftOutTexts, MoreTimeTexts, ProblemTexts, Texts};

pub(super) static TEXTS: Texts = Texts {
    language: Language::German,
    open_in_browser: "Öffnen Sie diesen Link in einem Browser, um die Dateien zu erhalten.",
    shared_files: "Geteilte Dateien",
    heading_after_sharer: |files| match files {
        1 => "hat eine Datei mit Ihnen geteilt".to_owned(),
        _ => format!("hat {files} Dateien mit Ihnen geteilt"),
    },
    heading_without_sharer: |files| match files {
        1 => "Eine Datei wurde mit Ihnen geteilt".to_owned(),
        _ => format!("{files} Dateien wurden mit Ihnen geteilt"),
    },
    total: |files, size| match files {
        1 => format!("1 Datei, {size}"),
        _ => format!("{files} Dateien, insgesamt {size}"),
    },
    download_all: |files, size| format!("Alle herunterladen ({files} Dateien, {size})"),
    preparing: "Ihr Download wird vorbereitet",
    preparing_text: "Alle Dateien werden zu einem Archiv zusammengestellt. Der Download beginnt automatisch, sobald es fertig ist. Lassen Sie diese Seite bis dahin geöffnet.",
    progress: |done, all| format!("{done} von {all}"),
    left_out_heading: "Diese Dateien können nicht aufgenommen werden:",
    left_out: LeftOutTexts {
        missing: "verschoben oder entfernt",
        archived: "in einem Langzeitspeicher",
        unreadable: "lässt sich nicht öffnen",
    },
    kinds: KindTexts {
        archive: "Archiv",
        audio: "Audio",
        document: "Dokument",
        email: "E-Mail",
        image: "Bild",
        pdf: "PDF-Dokument",
        presentation: "Präsentation",
        program: "Programm",
        spreadsheet: "Tabelle",
        text: "Text",
        video: "Video",
        web_page: "Webseite",
        no_extension: "Datei",
        other: |extension| format!("{extension}-Datei"),
    },
    access_ends: "Der Zugriff endet",
    on: "am ",
    message_from: "Nachricht von",
    message: "Nachricht",
    skip_to_files: "Zu den Dateien",
    stopped_download: "Wenn ein Download abbricht, wählen Sie die Datei noch einmal aus, um ihn neu zu starten.",
    try_again: "Noch einmal versuchen",
    back_to_files: "Zurück zu den Dateien",
    imprint: "Impressum",
    ask_sharer: (
        "Die Dateien werden nicht mehr mit Ihnen geteilt. Wenn Sie sie noch brauchen, fragen Sie ",
        ".",
    ),
    more_time: MoreTimeTexts {
        ask: "Sie können hier auch um mehr Zeit bitten. Die Person, die die Dateien geteilt hat, entscheidet darüber.",
        button: "Um mehr Zeit bitten",
        asked: (
            "Sie haben um mehr Zeit gebeten",
            "Die Person, die die Dateien geteilt hat, entscheidet darüber. Wenn Sie mehr Zeit bekommen, funktioniert der Link, den Sie schon haben, wieder. Sie können einmal am Tag darum bitten, insgesamt dreimal.",
        ),
        granted: ("Der Link funktioniert wieder", "Sie haben wieder Zugriff auf die Dateien."),
    },
    emails: EmailTexts {
        stop_link: "Keine E-Mails mehr zu diesem Link",
        stopped_link: "E-Mails zu diesem Link sind abbestellt",
        stop: (
            "Keine E-Mails mehr zu diesem Link?",
            "Sie bekommen dann keine E-Mails mehr zu diesem Link: keine Erinnerung und keine weitere E-Mail mit dem Link. Ihr Link bleibt, wie er ist. Die Person, die die Dateien geteilt hat, kann Ihre Entscheidung sehen.",
        ),
        stop_button: "Keine E-Mails mehr",
        stopped: (
            "E-Mails sind abbestellt",
            "Sie bekommen keine E-Mails mehr zu diesem Link. Ihr Link bleibt, wie er ist.",
        ),
        allow_button: "E-Mails wieder erlauben",
        allowed: ("E-Mails sind wieder erlaubt", "Sie können wieder E-Mails zu diesem Link bekommen."),
    },
    problems: ProblemTexts {
        access_ended: (
            "Dieser Link ist nicht mehr gültig",
            "Die Dateien werden nicht mehr mit Ihnen geteilt. Wenn Sie sie noch brauchen, fragen Sie die Person, die Ihnen den Link geschickt hat.",
        ),
        file_missing: (
            "Die Datei ist gerade nicht verfügbar",
            "Ihr Link ist gültig, aber die Datei wurde verschoben oder entfernt. Versuchen Sie es später noch einmal, oder fragen Sie die Person, die Ihnen den Link geschickt hat.",
        ),
        file_archived: (
            "Die Datei ist archiviert",
            "Ihr Link ist gültig, aber die Datei muss vor dem Herunterladen aus einem Archiv wiederhergestellt werden. Bitten Sie die Person, die Ihnen den Link geschickt hat, sie wiederherstellen zu lassen, und öffnen Sie den Link dann noch einmal.",
        ),
        file_forbidden: (
            "Die Datei lässt sich gerade nicht öffnen",
            "Ihr Link ist gültig, aber ein Fehler auf unserer Seite verhindert den Download. Versuchen Sie es später noch einmal, oder geben Sie der Person Bescheid, die Ihnen den Link geschickt hat.",
        ),
        archive_too_large: (
            "Die Dateien sind zu groß für ein Archiv",
            "Ihr Link ist gültig, aber es sind zu viele Dateien, oder sie sind zu groß, um sie alle auf einmal herunterzuladen. Laden Sie sie einzeln herunter.",
        ),
        unknown_link: (
            "Dieser Link funktioniert nicht",
            "Vielleicht wurde er abgeschnitten, verändert oder ersetzt. Öffnen Sie den Link in der neuesten E-Mail, oder fragen Sie die Person, die ihn geschickt hat.",
        ),
        link_paused: (
            "Dieser Link ist gerade pausiert",
            "Sie brauchen keinen neuen Link. Öffnen Sie diesen später noch einmal, oder fragen Sie die Person, die ihn geschickt hat.",
        ),
        prefetch_refused: (
            "Öffnen Sie den Link noch einmal",
            "Ihr Browser hat diese Seite im Voraus angefordert. Öffnen Sie den Link noch einmal, um die Dateien zu erhalten.",
        ),
        failed: (
            "Bitte versuchen Sie es noch einmal",
            "Die Datei konnte gerade nicht abgerufen werden. Öffnen Sie den Link gleich noch einmal.",
        ),
    },
};

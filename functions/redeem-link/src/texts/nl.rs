//! Dutch.

use sharelink_domain::Language;

use super::{EmailTexts, KindTexts, LeftOutTexts, MoreTimeTexts, ProblemTexts, Texts};

pub(super) static TEXTS: Texts = Texts {
    language: Language::Dutch,
    open_in_browser: "Open deze link in een browser om de bestanden op te halen.",
    shared_files: "Gedeelde bestanden",
    heading_after_sharer: |files| match files {
        1 => "heeft een bestand met u gedeeld".to_owned(),
        _ => format!("heeft {files} bestanden met u gedeeld"),
    },
    heading_without_sharer: |files| match files {
        1 => "Er is een bestand met u gedeeld".to_owned(),
        _ => format!("Er zijn {files} bestanden met u gedeeld"),
    },
    total: |files, size| match files {
        1 => format!("1 bestand, {size}"),
        _ => format!("{files} bestanden, {size} in totaal"),
    },
    download_all: |files, size| format!("Alles downloaden ({files}\u{a0}bestanden, {size})"),
    preparing: "Uw download wordt voorbereid",
    preparing_text: "Alle bestanden worden in één archief samengevoegd. De download start automatisch zodra het archief gereed is. Houd deze pagina tot die tijd geopend.",
    progress: |done, all| format!("{done} van {all}"),
    left_out_heading: "Deze bestanden kunnen niet worden opgenomen:",
    left_out: LeftOutTexts {
        missing: "verplaatst of verwijderd",
        archived: "in langetermijnopslag",
        unreadable: "kan niet worden geopend",
    },
    kinds: KindTexts {
        archive: "Archief",
        audio: "Audio",
        document: "Document",
        email: "E-mail",
        image: "Afbeelding",
        pdf: "PDF-document",
        presentation: "Presentatie",
        program: "Programma",
        spreadsheet: "Spreadsheet",
        text: "Tekst",
        video: "Video",
        web_page: "Webpagina",
        no_extension: "Bestand",
        other: |extension| format!("{extension}-bestand"),
    },
    access_ends: "De toegang eindigt",
    on: "op ",
    message_from: "Bericht van",
    message: "Bericht",
    skip_to_files: "Naar de bestanden",
    stopped_download: "Als een download stopt, selecteer het bestand dan opnieuw om de download te herstarten.",
    try_again: "Opnieuw proberen",
    back_to_files: "Terug naar de bestanden",
    imprint: "Juridische informatie",
    ask_sharer: (
        "De bestanden worden niet meer met u gedeeld. Als u ze nog nodig hebt, neem dan contact op met ",
        ".",
    ),
    more_time: MoreTimeTexts {
        ask: "U kunt hier ook om meer tijd vragen. De persoon die de bestanden heeft gedeeld, beslist daarover.",
        button: "Om meer tijd vragen",
        asked: (
            "U hebt om meer tijd gevraagd",
            "De persoon die de bestanden heeft gedeeld, beslist daarover. Als u meer tijd krijgt, werkt de link die u al hebt weer. U kunt er één keer per dag om vragen, en drie keer in totaal.",
        ),
        granted: ("De link werkt weer", "U hebt weer toegang tot de bestanden."),
    },
    emails: EmailTexts {
        stop_link: "Geen e-mails meer over deze link",
        stopped_link: "U krijgt geen e-mails meer over deze link",
        stop: (
            "Geen e-mails meer over deze link?",
            "U krijgt geen e-mails meer over deze link: geen herinnering en geen andere e-mail met de link. Uw link blijft zoals hij is. De persoon die de bestanden heeft gedeeld, kan uw keuze zien.",
        ),
        stop_button: "Geen e-mails meer",
        stopped: (
            "U krijgt geen e-mails meer",
            "U krijgt geen e-mails meer over deze link. Uw link blijft zoals hij is.",
        ),
        allow_button: "E-mails weer toestaan",
        allowed: ("E-mails zijn weer toegestaan", "U kunt weer e-mails over deze link krijgen."),
    },
    problems: ProblemTexts {
        access_ended: (
            "Deze link is niet meer geldig",
            "De bestanden worden niet meer met u gedeeld. Als u ze nog nodig hebt, neem dan contact op met de persoon die u de link heeft gestuurd.",
        ),
        file_missing: (
            "Het bestand is nu niet beschikbaar",
            "Uw link is geldig, maar het bestand is verplaatst of verwijderd. Probeer het later opnieuw of neem contact op met de persoon die u de link heeft gestuurd.",
        ),
        file_archived: (
            "Het bestand is gearchiveerd",
            "Uw link is geldig, maar het bestand moet uit een archief worden teruggezet voordat het kan worden gedownload. Vraag de persoon die u de link heeft gestuurd om het te laten terugzetten en open de link daarna opnieuw.",
        ),
        file_forbidden: (
            "Het bestand kan nu niet worden geopend",
            "Uw link is geldig, maar door een probleem aan onze kant is downloaden niet mogelijk. Probeer het later opnieuw of laat het weten aan de persoon die u de link heeft gestuurd.",
        ),
        archive_too_large: (
            "De bestanden zijn te groot voor één archief",
            "Uw link is geldig, maar er zijn te veel bestanden of ze zijn te groot om ze allemaal tegelijk te downloaden. Download ze een voor een.",
        ),
        unknown_link: (
            "Deze link werkt niet",
            "Mogelijk is de link afgebroken, gewijzigd of vervangen. Open de link in de nieuwste e-mail of neem contact op met de persoon die de link heeft gestuurd.",
        ),
        link_paused: (
            "Deze link is op dit moment gepauzeerd",
            "U hebt geen nieuwe link nodig. Open deze link later opnieuw of neem contact op met de persoon die de link heeft gestuurd.",
        ),
        prefetch_refused: (
            "Open de link opnieuw",
            "Uw browser heeft deze pagina vooraf opgevraagd. Open de link opnieuw om de bestanden op te halen.",
        ),
        failed: (
            "Probeer het opnieuw",
            "Het bestand kon zojuist niet worden opgehaald. Open de link over een ogenblik opnieuw.",
        ),
    },
};

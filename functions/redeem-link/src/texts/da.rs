//! Danish.

use sharelink_domain::Language;

use super::{EmailTexts, KindTexts, LeftOutTexts, MoreTimeTexts, ProblemTexts, Texts};

pub(super) static TEXTS: Texts = Texts {
    language: Language::Danish,
    open_in_browser: "Åbn dette link i en browser for at hente filerne.",
    shared_files: "Delte filer",
    heading_after_sharer: |files| match files {
        1 => "har delt en fil med dig".to_owned(),
        _ => format!("har delt {files} filer med dig"),
    },
    heading_without_sharer: |files| match files {
        1 => "En fil er blevet delt med dig".to_owned(),
        _ => format!("{files} filer er blevet delt med dig"),
    },
    total: |files, size| match files {
        1 => format!("1 fil, {size}"),
        _ => format!("{files} filer, {size} i alt"),
    },
    download_all: |files, size| format!("Download alle ({files}\u{a0}filer, {size})"),
    preparing: "Din download forberedes",
    preparing_text: "Alle filer samles i ét arkiv. Din download starter automatisk, så snart arkivet er klar. Hold siden åben indtil da.",
    progress: |done, all| format!("{done} af {all}"),
    left_out_heading: "Disse filer kan ikke medtages:",
    left_out: LeftOutTexts {
        missing: "flyttet eller fjernet",
        archived: "i langtidsopbevaring",
        unreadable: "kan ikke åbnes",
    },
    kinds: KindTexts {
        archive: "Arkiv",
        audio: "Lyd",
        document: "Dokument",
        email: "E-mail",
        image: "Billede",
        pdf: "PDF-dokument",
        presentation: "Præsentation",
        program: "Program",
        spreadsheet: "Regneark",
        text: "Tekst",
        video: "Video",
        web_page: "Webside",
        no_extension: "Fil",
        other: |extension| format!("{extension}-fil"),
    },
    access_ends: "Adgangen udløber",
    on: "",
    message_from: "Besked fra",
    message: "Besked",
    skip_to_files: "Gå til filerne",
    stopped_download: "Hvis en download afbrydes, kan du vælge filen igen for at starte forfra.",
    try_again: "Prøv igen",
    back_to_files: "Tilbage til filerne",
    imprint: "Juridiske oplysninger",
    ask_sharer: (
        "Filerne deles ikke længere med dig. Hvis du stadig har brug for dem, kan du kontakte ",
        ".",
    ),
    more_time: MoreTimeTexts {
        ask: "Du kan også bede om mere tid her. Den person, der delte filerne, afgør det.",
        button: "Bed om mere tid",
        asked: (
            "Du har bedt om mere tid",
            "Den person, der delte filerne, afgør det. Hvis du får mere tid, virker det link, som du allerede har, igen. Du kan bede om det én gang om dagen og tre gange i alt.",
        ),
        granted: ("Linket virker igen", "Du har igen adgang til filerne."),
    },
    emails: EmailTexts {
        stop_link: "Ingen flere e-mails om dette link",
        stopped_link: "Du får ikke flere e-mails om dette link",
        stop: (
            "Ingen flere e-mails om dette link?",
            "Du får ikke flere e-mails om dette link: ingen påmindelse og ingen anden e-mail med linket. Dit link ændres ikke. Den person, der delte filerne, kan se dit valg.",
        ),
        stop_button: "Ingen flere e-mails",
        stopped: (
            "Du får ikke flere e-mails",
            "Du får ikke flere e-mails om dette link. Dit link ændres ikke.",
        ),
        allow_button: "Tillad e-mails igen",
        allowed: ("E-mails er tilladt igen", "Du kan få e-mails om dette link igen."),
    },
    problems: ProblemTexts {
        access_ended: (
            "Dette link er ikke længere gyldigt",
            "Filerne deles ikke længere med dig. Hvis du stadig har brug for dem, kan du kontakte den person, der sendte dig linket.",
        ),
        file_missing: (
            "Filen er ikke tilgængelig lige nu",
            "Dit link er gyldigt, men filen er blevet flyttet eller fjernet. Prøv igen senere, eller kontakt den person, der sendte dig linket.",
        ),
        file_archived: (
            "Filen er arkiveret",
            "Dit link er gyldigt, men filen skal gendannes fra et arkiv, før den kan downloades. Bed den person, der sendte dig linket, om at få den gendannet, og åbn derefter linket igen.",
        ),
        file_forbidden: (
            "Filen kan ikke åbnes lige nu",
            "Dit link er gyldigt, men en fejl hos os forhindrer, at filen kan downloades. Prøv igen senere, eller giv besked til den person, der sendte dig linket.",
        ),
        archive_too_large: (
            "Filerne er for store til ét arkiv",
            "Dit link er gyldigt, men filerne er for mange eller for store til at blive downloadet på én gang. Download dem én ad gangen.",
        ),
        unknown_link: (
            "Dette link virker ikke",
            "Det kan være blevet afkortet, ændret eller erstattet. Åbn linket i den nyeste e-mail, eller kontakt den person, der sendte det.",
        ),
        link_paused: (
            "Dette link er sat på pause",
            "Du har ikke brug for et nyt link. Åbn dette igen senere, eller kontakt den person, der sendte det.",
        ),
        prefetch_refused: (
            "Åbn linket igen",
            "Din browser har bedt om siden på forhånd. Åbn linket igen for at hente filerne.",
        ),
        failed: ("Prøv igen", "Filen kunne ikke hentes lige nu. Åbn linket igen om et øjeblik."),
    },
};

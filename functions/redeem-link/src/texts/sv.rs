//! Swedish.

use sharelink_domain::Language;

use super::{EmailTexts, KindTexts, LeftOutTexts, MoreTimeTexts, ProblemTexts, Texts};

pub(super) static TEXTS: Texts = Texts {
    language: Language::Swedish,
    open_in_browser: "Öppna länken i en webbläsare för att hämta filerna.",
    shared_files: "Delade filer",
    heading_after_sharer: |files| match files {
        1 => "har delat en fil med dig".to_owned(),
        _ => format!("har delat {files} filer med dig"),
    },
    heading_without_sharer: |files| match files {
        1 => "En fil har delats med dig".to_owned(),
        _ => format!("{files} filer har delats med dig"),
    },
    total: |files, size| match files {
        1 => format!("1 fil, {size}"),
        _ => format!("{files} filer, totalt {size}"),
    },
    download_all: |files, size| format!("Ladda ner alla ({files}\u{a0}filer, {size})"),
    preparing: "Din nedladdning förbereds",
    preparing_text: "Alla filer samlas i ett arkiv. Nedladdningen startar automatiskt så snart arkivet är klart. Håll sidan öppen tills dess.",
    progress: |done, all| format!("{done} av {all}"),
    left_out_heading: "De här filerna kan inte tas med:",
    left_out: LeftOutTexts {
        missing: "flyttad eller borttagen",
        archived: "i långtidslagring",
        unreadable: "kan inte öppnas",
    },
    kinds: KindTexts {
        archive: "Arkiv",
        audio: "Ljud",
        document: "Dokument",
        email: "E-post",
        image: "Bild",
        pdf: "PDF-dokument",
        presentation: "Presentation",
        program: "Program",
        spreadsheet: "Kalkylblad",
        text: "Text",
        video: "Video",
        web_page: "Webbsida",
        no_extension: "Fil",
        other: |extension| format!("{extension}-fil"),
    },
    access_ends: "Åtkomsten upphör",
    on: "",
    message_from: "Meddelande från",
    message: "Meddelande",
    skip_to_files: "Gå till filerna",
    stopped_download: "Om en nedladdning avbryts väljer du filen igen för att starta om den.",
    try_again: "Försök igen",
    back_to_files: "Tillbaka till filerna",
    imprint: "Juridisk information",
    ask_sharer: ("Filerna delas inte längre med dig. Om du fortfarande behöver dem kan du kontakta ", "."),
    more_time: MoreTimeTexts {
        ask: "Du kan också be om mer tid här. Personen som delade filerna avgör det.",
        button: "Be om mer tid",
        asked: (
            "Du har bett om mer tid",
            "Personen som delade filerna avgör det. Om du får mer tid fungerar länken som du redan har igen. Du kan be om det en gång om dagen och tre gånger totalt.",
        ),
        granted: ("Länken fungerar igen", "Du har åter tillgång till filerna."),
    },
    emails: EmailTexts {
        stop_link: "Ingen mer e-post om länken",
        stopped_link: "Du får ingen mer e-post om länken",
        stop: (
            "Ingen mer e-post om länken?",
            "Du får ingen mer e-post om länken: varken påminnelse eller nytt meddelande med länken. Din länk ändras inte. Personen som delade filerna kan se ditt val.",
        ),
        stop_button: "Ingen mer e-post",
        stopped: ("Du får ingen mer e-post", "Du får ingen mer e-post om länken. Din länk ändras inte."),
        allow_button: "Tillåt e-post igen",
        allowed: ("E-post är tillåten igen", "Du kan få e-post om länken igen."),
    },
    problems: ProblemTexts {
        access_ended: (
            "Länken är inte längre giltig",
            "Filerna delas inte längre med dig. Om du fortfarande behöver dem kan du kontakta personen som skickade länken.",
        ),
        file_missing: (
            "Filen är inte tillgänglig just nu",
            "Din länk är giltig, men filen har flyttats eller tagits bort. Försök igen senare eller kontakta personen som skickade länken.",
        ),
        file_archived: (
            "Filen är arkiverad",
            "Din länk är giltig, men filen måste återställas från ett arkiv innan den kan laddas ner. Be personen som skickade länken att se till att filen återställs och öppna sedan länken igen.",
        ),
        file_forbidden: (
            "Filen kan inte öppnas just nu",
            "Din länk är giltig, men ett fel hos oss hindrar nedladdningen. Försök igen senare eller meddela personen som skickade länken.",
        ),
        archive_too_large: (
            "Filerna är för stora för ett arkiv",
            "Din länk är giltig, men filerna är för många eller för stora för att laddas ner på en gång. Ladda ner dem en i taget.",
        ),
        unknown_link: (
            "Länken fungerar inte",
            "Den kan ha klippts av, ändrats eller ersatts. Öppna länken i det senaste e-postmeddelandet eller kontakta personen som skickade den.",
        ),
        link_paused: (
            "Länken är pausad just nu",
            "Du behöver ingen ny länk. Öppna den här igen senare eller kontakta personen som skickade den.",
        ),
        prefetch_refused: (
            "Öppna länken igen",
            "Din webbläsare begärde sidan i förväg. Öppna länken igen för att hämta filerna.",
        ),
        failed: ("Försök igen", "Filen kunde inte hämtas just nu. Öppna länken igen om en stund."),
    },
};

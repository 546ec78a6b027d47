//! Spanish. A file is *un archivo*, so an archive is *un archivo comprimido*.

use sharelink_domain::Language;

use super::{EmailTexts, KindTexts, LeftOutTexts, MoreTimeTexts, ProblemTexts, Texts};

pub(super) static TEXTS: Texts = Texts {
    language: Language::Spanish,
    open_in_browser: "Abra este enlace en un navegador para obtener los archivos.",
    shared_files: "Archivos compartidos",
    heading_after_sharer: |files| match files {
        1 => "ha compartido un archivo con usted".to_owned(),
        _ => format!("ha compartido {files} archivos con usted"),
    },
    heading_without_sharer: |files| match files {
        1 => "Se ha compartido un archivo con usted".to_owned(),
        _ => format!("Se han compartido {files} archivos con usted"),
    },
    total: |files, size| match files {
        1 => format!("1 archivo, {size}"),
        _ => format!("{files} archivos, {size} en total"),
    },
    download_all: |files, size| format!("Descargar todo ({files}\u{a0}archivos, {size})"),
    preparing: "Preparando su descarga",
    preparing_text: "Todos los archivos se están reuniendo en un único archivo comprimido. La descarga comenzará automáticamente en cuanto esté listo. Mantenga esta página abierta hasta entonces.",
    progress: |done, all| format!("{done} de {all}"),
    left_out_heading: "Estos archivos no se pueden incluir:",
    left_out: LeftOutTexts {
        missing: "movido o eliminado",
        archived: "en almacenamiento a largo plazo",
        unreadable: "no se puede abrir",
    },
    kinds: KindTexts {
        archive: "Archivo comprimido",
        audio: "Audio",
        document: "Documento",
        email: "Correo electrónico",
        image: "Imagen",
        pdf: "Documento PDF",
        presentation: "Presentación",
        program: "Programa",
        spreadsheet: "Hoja de cálculo",
        text: "Texto",
        video: "Vídeo",
        web_page: "Página web",
        no_extension: "Archivo",
        other: |extension| format!("Archivo {extension}"),
    },
    access_ends: "El acceso termina",
    on: "el ",
    message_from: "Mensaje de",
    message: "Mensaje",
    skip_to_files: "Ir a los archivos",
    stopped_download: "Si una descarga se interrumpe, vuelva a seleccionar el archivo para reiniciarla.",
    try_again: "Reintentar",
    back_to_files: "Volver a los archivos",
    imprint: "Aviso legal",
    ask_sharer: ("Los archivos ya no se comparten con usted. Si todavía los necesita, pídaselos a ", "."),
    more_time: MoreTimeTexts {
        ask: "También puede pedir más tiempo aquí. La persona que compartió los archivos lo decidirá.",
        button: "Pedir más tiempo",
        asked: (
            "Ha pedido más tiempo",
            "La persona que compartió los archivos lo decidirá. Si le da más tiempo, el enlace que ya tiene volverá a funcionar. Puede pedirlo una vez al día y tres veces en total.",
        ),
        granted: ("El enlace vuelve a funcionar", "Vuelve a tener acceso a los archivos."),
    },
    emails: EmailTexts {
        stop_link: "No recibir más correos sobre este enlace",
        stopped_link: "Ya no recibe correos sobre este enlace",
        stop: (
            "¿No recibir más correos sobre este enlace?",
            "No recibirá más correos sobre este enlace: ni recordatorios ni otro correo con el enlace. Su enlace no cambia. La persona que compartió los archivos puede ver su decisión.",
        ),
        stop_button: "No recibir más correos",
        stopped: ("Ya no recibe correos", "No recibe más correos sobre este enlace. Su enlace no cambia."),
        allow_button: "Volver a permitir los correos",
        allowed: (
            "Los correos vuelven a estar permitidos",
            "Puede volver a recibir correos sobre este enlace.",
        ),
    },
    problems: ProblemTexts {
        access_ended: (
            "Este enlace ya no es válido",
            "Los archivos ya no se comparten con usted. Si todavía los necesita, pídaselos a la persona que le envió el enlace.",
        ),
        file_missing: (
            "El archivo no está disponible en este momento",
            "Su enlace es válido, pero el archivo se ha movido o eliminado. Inténtelo de nuevo más tarde o consulte a la persona que le envió el enlace.",
        ),
        file_archived: (
            "El archivo está en almacenamiento a largo plazo",
            "Su enlace es válido, pero el archivo debe restaurarse antes de poder descargarlo. Pida a la persona que le envió el enlace que solicite la restauración y, después, vuelva a abrir el enlace.",
        ),
        file_forbidden: (
            "El archivo no se puede abrir en este momento",
            "Su enlace es válido, pero un problema por nuestra parte impide la descarga. Inténtelo de nuevo más tarde o avise a la persona que le envió el enlace.",
        ),
        archive_too_large: (
            "Los archivos son demasiado grandes para un único archivo comprimido",
            "Su enlace es válido, pero hay demasiados archivos, o son demasiado grandes, para descargarlos todos a la vez. Descárguelos uno por uno.",
        ),
        unknown_link: (
            "Este enlace no funciona",
            "Puede que se haya cortado, modificado o sustituido. Abra el enlace del correo más reciente o consulte a la persona que lo envió.",
        ),
        link_paused: (
            "Este enlace está en pausa en este momento",
            "No necesita un enlace nuevo. Vuelva a abrir este más tarde o consulte a la persona que lo envió.",
        ),
        prefetch_refused: (
            "Vuelva a abrir el enlace",
            "Su navegador ha solicitado esta página por adelantado. Vuelva a abrir el enlace para obtener los archivos.",
        ),
        failed: (
            "Inténtelo de nuevo",
            "No se ha podido obtener el archivo. Vuelva a abrir el enlace dentro de un momento.",
        ),
    },
};

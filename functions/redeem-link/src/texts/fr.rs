//! French. A narrow no-break space (`\u{202f}`) precedes colons, semicolons, and question and exclamation
//! marks. No text ends in *de* before a name, which would have to become *d’* before a vowel.

use sharelink_domain::Language;

use super::{EmailTexts, KindTexts, LeftOutTexts, MoreTimeTexts, ProblemTexts, Texts};

pub(super) static TEXTS: Texts = Texts {
    language: Language::French,
    open_in_browser: "Ouvrez ce lien dans un navigateur pour obtenir les fichiers.",
    shared_files: "Fichiers partagés",
    heading_after_sharer: |files| match files {
        1 => "a partagé un fichier avec vous".to_owned(),
        _ => format!("a partagé {files} fichiers avec vous"),
    },
    heading_without_sharer: |files| match files {
        1 => "Un fichier a été partagé avec vous".to_owned(),
        _ => format!("{files} fichiers ont été partagés avec vous"),
    },
    total: |files, size| match files {
        1 => format!("1 fichier, {size}"),
        _ => format!("{files} fichiers, {size} au total"),
    },
    download_all: |files, size| format!("Tout télécharger ({files}\u{a0}fichiers, {size})"),
    preparing: "Préparation de votre téléchargement",
    preparing_text: "Tous les fichiers sont en cours de regroupement dans une archive. Le téléchargement démarrera automatiquement dès qu’elle sera prête. D’ici là, gardez cette page ouverte.",
    progress: |done, all| format!("{done} sur {all}"),
    left_out_heading: "Ces fichiers ne peuvent pas être inclus\u{202f}:",
    left_out: LeftOutTexts {
        missing: "déplacé ou supprimé",
        archived: "dans un stockage à long terme",
        unreadable: "impossible à ouvrir",
    },
    kinds: KindTexts {
        archive: "Archive",
        audio: "Audio",
        document: "Document",
        email: "E-mail",
        image: "Image",
        pdf: "Document PDF",
        presentation: "Présentation",
        program: "Programme",
        spreadsheet: "Feuille de calcul",
        text: "Texte",
        video: "Vidéo",
        web_page: "Page web",
        no_extension: "Fichier",
        other: |extension| format!("Fichier {extension}"),
    },
    access_ends: "L’accès prend fin",
    on: "le ",
    message_from: "Message envoyé par",
    message: "Message",
    skip_to_files: "Aller aux fichiers",
    stopped_download: "Si un téléchargement s’interrompt, sélectionnez de nouveau le fichier pour le relancer.",
    try_again: "Réessayer",
    back_to_files: "Retour aux fichiers",
    imprint: "Mentions légales",
    ask_sharer: (
        "Les fichiers ne sont plus partagés avec vous. Si vous en avez encore besoin, adressez-vous à ",
        ".",
    ),
    more_time: MoreTimeTexts {
        ask: "Vous pouvez aussi demander plus de temps ici. La personne qui a partagé les fichiers en décidera.",
        button: "Demander plus de temps",
        asked: (
            "Vous avez demandé plus de temps",
            "La personne qui a partagé les fichiers en décidera. Si vous obtenez plus de temps, le lien que vous avez déjà fonctionnera de nouveau. Vous pouvez le demander une fois par jour, et trois fois en tout.",
        ),
        granted: ("Le lien fonctionne de nouveau", "Vous avez de nouveau accès aux fichiers."),
    },
    emails: EmailTexts {
        stop_link: "Ne plus recevoir d’e-mails au sujet de ce lien",
        stopped_link: "Vous ne recevez plus d’e-mails au sujet de ce lien",
        stop: (
            "Ne plus recevoir d’e-mails au sujet de ce lien\u{202f}?",
            "Vous ne recevrez plus d’e-mails au sujet de ce lien\u{202f}: ni rappel, ni autre e-mail avec le lien. Votre lien ne change pas. La personne qui a partagé les fichiers peut voir votre choix.",
        ),
        stop_button: "Ne plus recevoir d’e-mails",
        stopped: (
            "Vous ne recevez plus d’e-mails",
            "Vous ne recevez plus d’e-mails au sujet de ce lien. Votre lien ne change pas.",
        ),
        allow_button: "Autoriser de nouveau les e-mails",
        allowed: (
            "Les e-mails sont de nouveau autorisés",
            "Vous pouvez de nouveau recevoir des e-mails au sujet de ce lien.",
        ),
    },
    problems: ProblemTexts {
        access_ended: (
            "Ce lien n’est plus valable",
            "Les fichiers ne sont plus partagés avec vous. Si vous en avez encore besoin, adressez-vous à la personne qui vous a envoyé le lien.",
        ),
        file_missing: (
            "Le fichier n’est pas disponible pour le moment",
            "Votre lien est valable, mais le fichier a été déplacé ou supprimé. Réessayez plus tard ou adressez-vous à la personne qui vous a envoyé le lien.",
        ),
        file_archived: (
            "Le fichier est archivé",
            "Votre lien est valable, mais le fichier doit être restauré à partir d’une archive avant de pouvoir être téléchargé. Demandez à la personne qui vous a envoyé le lien de le faire restaurer, puis ouvrez de nouveau le lien.",
        ),
        file_forbidden: (
            "Le fichier ne peut pas être ouvert pour le moment",
            "Votre lien est valable, mais un problème de notre côté empêche le téléchargement. Réessayez plus tard ou prévenez la personne qui vous a envoyé le lien.",
        ),
        archive_too_large: (
            "Les fichiers sont trop volumineux pour une seule archive",
            "Votre lien est valable, mais les fichiers sont trop nombreux ou trop volumineux pour être téléchargés en une seule fois. Téléchargez-les un par un.",
        ),
        unknown_link: (
            "Ce lien ne fonctionne pas",
            "Il a peut-être été tronqué, modifié ou remplacé. Ouvrez le lien qui figure dans l’e-mail le plus récent ou adressez-vous à la personne qui l’a envoyé.",
        ),
        link_paused: (
            "Ce lien est momentanément suspendu",
            "Vous n’avez pas besoin d’un nouveau lien. Rouvrez celui-ci plus tard ou adressez-vous à la personne qui l’a envoyé.",
        ),
        prefetch_refused: (
            "Ouvrez de nouveau le lien",
            "Votre navigateur a demandé cette page à l’avance. Ouvrez de nouveau le lien pour obtenir les fichiers.",
        ),
        failed: (
            "Veuillez réessayer",
            "Le fichier n’a pas pu être récupéré. Rouvrez le lien dans un instant.",
        ),
    },
};

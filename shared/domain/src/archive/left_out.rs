//! The text about the files that an archive lacks.

use std::fmt::Write as _;

use crate::{FileName, Language};

/// A file that is not in the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    pub name: FileName,
    pub reason: LeftOutReason,
}

/// Why a file is not in the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOutReason {
    /// The object does not exist.
    Missing,
    /// The object's storage class cannot be read without a restoration.
    Archived,
    /// S3 refuses to return the object, for example because its key is disabled.
    Unreadable,
}

/// Returns the name of the text file. The underscore puts it in front of most names.
pub(super) fn note_name() -> Option<FileName> {
    "_Missing files.txt".parse().ok()
}

/// The texts in one language.
struct Texts {
    title: &'static str,
    introduction: &'static str,
    missing: &'static str,
    archived: &'static str,
    unreadable: &'static str,
    advice: &'static str,
}

impl Texts {
    fn of(language: Language) -> Self {
        match language {
            Language::English => Self {
                title: "Some files are missing from this archive",
                introduction: "These files were shared with you, but could not be added:",
                missing: "The file was moved or removed.",
                archived: "The file is in long-term storage and must be restored before it can be downloaded.",
                unreadable: "The file could not be opened.",
                advice: "If you need them, ask the person who sent you the link.",
            },
            Language::German => Self {
                title: "In diesem Archiv fehlen Dateien",
                introduction: "Diese Dateien wurden mit Ihnen geteilt, ließen sich aber nicht hinzufügen:",
                missing: "Die Datei wurde verschoben oder entfernt.",
                archived: "Die Datei liegt in einem Langzeitspeicher und muss vor dem Herunterladen wiederhergestellt werden.",
                unreadable: "Die Datei ließ sich nicht öffnen.",
                advice: "Wenn Sie sie brauchen, fragen Sie die Person, die Ihnen den Link geschickt hat.",
            },
            Language::French => Self {
                title: "Il manque des fichiers dans cette archive",
                introduction: "Ces fichiers ont été partagés avec vous, mais n’ont pas pu être ajoutés\u{202f}:",
                missing: "Le fichier a été déplacé ou supprimé.",
                archived: "Le fichier se trouve dans un stockage à long terme et doit être restauré avant de pouvoir être téléchargé.",
                unreadable: "Le fichier n’a pas pu être ouvert.",
                advice: "Si vous en avez besoin, adressez-vous à la personne qui vous a envoyé le lien.",
            },
            Language::Spanish => Self {
                title: "Faltan archivos en este archivo comprimido",
                introduction: "Estos archivos se compartieron con usted, pero no se pudieron añadir:",
                missing: "El archivo se ha movido o eliminado.",
                archived: "El archivo está en almacenamiento a largo plazo y debe restaurarse antes de poder descargarlo.",
                unreadable: "El archivo no se pudo abrir.",
                advice: "Si los necesita, pídaselos a la persona que le envió el enlace.",
            },
            Language::Danish => Self {
                title: "Der mangler filer i dette arkiv",
                introduction: "Disse filer blev delt med dig, men kunne ikke tilføjes:",
                missing: "Filen er blevet flyttet eller fjernet.",
                archived: "Filen er i langtidsopbevaring og skal gendannes, før den kan downloades.",
                unreadable: "Filen kunne ikke åbnes.",
                advice: "Hvis du har brug for dem, kan du kontakte den person, der sendte dig linket.",
            },
            Language::Dutch => Self {
                title: "Er ontbreken bestanden in dit archief",
                introduction: "Deze bestanden zijn met u gedeeld, maar konden niet worden toegevoegd:",
                missing: "Het bestand is verplaatst of verwijderd.",
                archived: "Het bestand staat in langetermijnopslag en moet worden teruggezet voordat het kan worden gedownload.",
                unreadable: "Het bestand kon niet worden geopend.",
                advice: "Als u ze nodig hebt, neem dan contact op met de persoon die u de link heeft gestuurd.",
            },
            Language::Swedish => Self {
                title: "Det saknas filer i det här arkivet",
                introduction: "De här filerna delades med dig men kunde inte läggas till:",
                missing: "Filen har flyttats eller tagits bort.",
                archived: "Filen finns i långtidslagring och måste återställas innan den kan laddas ner.",
                unreadable: "Filen kunde inte öppnas.",
                advice: "Om du behöver dem kan du kontakta personen som skickade länken.",
            },
        }
    }

    fn reason(&self, reason: LeftOutReason) -> &'static str {
        match reason {
            LeftOutReason::Missing => self.missing,
            LeftOutReason::Archived => self.archived,
            LeftOutReason::Unreadable => self.unreadable,
        }
    }
}

/// Returns the text, in every language: the archive is made once for all recipients. Old versions of Windows
/// Notepad need the byte order mark to recognize UTF-8, and `\r\n` at the end of lines.
pub(super) fn note(left_out: &[LeftOut]) -> String {
    let mut text = String::from("\u{feff}");
    for (index, texts) in Language::ALL.map(Texts::of).iter().enumerate() {
        if index > 0 {
            text.push_str("\r\n\r\n");
        }
        let underline = "=".repeat(texts.title.chars().count());
        let _ = write!(text, "{}\r\n{underline}\r\n\r\n{}\r\n\r\n", texts.title, texts.introduction);
        for file in left_out {
            let reason = texts.reason(file.reason);
            let _ = write!(text, "- {}\r\n  {reason}\r\n", file.name.to_display_text());
        }
        let _ = write!(text, "\r\n{}\r\n", texts.advice);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn note_names_the_files_in_every_language() {
        let left_out = [
            LeftOut { name: "Plan.pdf".parse().unwrap(), reason: LeftOutReason::Missing },
            LeftOut { name: "a\u{202e}b\u{2028}c".parse().unwrap(), reason: LeftOutReason::Archived },
            LeftOut { name: "見積書.xlsx".parse().unwrap(), reason: LeftOutReason::Unreadable },
        ];
        let note = note(&left_out);
        let languages: Vec<_> = note.split("\r\n\r\n\r\n").collect();
        assert_eq!(languages.len(), Language::ALL.len());
        for (text, language) in languages.iter().zip(Language::ALL) {
            let texts = Texts::of(language);
            assert!(text.trim_start_matches('\u{feff}').starts_with(texts.title), "{language:?}");
            for name in ["Plan.pdf", "ab c", "見積書.xlsx"] {
                assert!(text.contains(&format!("- {name}\r\n")), "{name} in {language:?}");
            }
            for reason in [LeftOutReason::Missing, LeftOutReason::Archived, LeftOutReason::Unreadable] {
                assert!(text.contains(texts.reason(reason)), "{reason:?} in {language:?}");
            }
        }
        assert_eq!(
            languages[..2].join("\r\n\r\n\r\n") + "\r\n",
            "\u{feff}Some files are missing from this archive\r\n\
             ========================================\r\n\
             \r\n\
             These files were shared with you, but could not be added:\r\n\
             \r\n\
             - Plan.pdf\r\n  The file was moved or removed.\r\n\
             - ab c\r\n  The file is in long-term storage and must be restored before it can be downloaded.\r\n\
             - 見積書.xlsx\r\n  The file could not be opened.\r\n\
             \r\n\
             If you need them, ask the person who sent you the link.\r\n\
             \r\n\
             \r\n\
             In diesem Archiv fehlen Dateien\r\n\
             ===============================\r\n\
             \r\n\
             Diese Dateien wurden mit Ihnen geteilt, ließen sich aber nicht hinzufügen:\r\n\
             \r\n\
             - Plan.pdf\r\n  Die Datei wurde verschoben oder entfernt.\r\n\
             - ab c\r\n  Die Datei liegt in einem Langzeitspeicher und muss vor dem Herunterladen wiederhergestellt werden.\r\n\
             - 見積書.xlsx\r\n  Die Datei ließ sich nicht öffnen.\r\n\
             \r\n\
             Wenn Sie sie brauchen, fragen Sie die Person, die Ihnen den Link geschickt hat.\r\n"
        );
    }

    #[test]
    fn name_of_the_note_is_valid() {
        assert_eq!(note_name().unwrap().as_str(), "_Missing files.txt");
    }
}

//! Documents that other programs made. `tests/documents/run` makes them, runs this test, and has those programs read what comes
//! of it.

use std::fs::{self, File};
use std::path::Path;

use kortom::document::{Comment, Document, Format, Preface, ReadOptions};
use kortom::segment::Language;
use kortom::translate::{Generate, Translator};

use super::{Capitals, Echo};

/// The folder with the documents; its folders `capitals`, `bilingual`, `commented` and `front` take what comes of them.
const FOLDER: &str = "KORTOM_DOCUMENTS";

fn translated(model: &impl Generate, document: &Document) -> Document {
    let translator = Translator::new(model, Language::Dutch, Language::English);
    let mut translations = translator.translate(std::slice::from_ref(document)).unwrap();
    translations.remove(0).document.in_language(document, "en")
}

fn save(document: &Document, folder: &Path, path: &Path) {
    fs::create_dir_all(folder).unwrap();
    document.write(&mut File::create(folder.join(path.file_name().unwrap())).unwrap()).unwrap();
}

#[test]
#[ignore = "needs a folder of documents, which `tests/documents/run` makes"]
fn documents_of_other_programs_keep_every_byte() {
    let folder = std::env::var(FOLDER).unwrap_or_else(|_| panic!("{FOLDER} names no folder"));
    let folder = Path::new(&folder);
    let mut count = 0;
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        let format = Format::known(&path).unwrap_or_else(|| panic!("{}", path.display()));
        let options = ReadOptions { fields: vec!["tekst".to_owned()], ..ReadOptions::default() };
        let bytes = fs::read(&path).unwrap();
        let document = Document::read_with("-", bytes.clone(), format, &options)
            .unwrap_or_else(|error| panic!("{}: {error:#}", path.display()));
        assert!(!document.blocks.is_empty(), "{}", path.display());
        let translator = Translator::new(&Echo, Language::Dutch, Language::English);
        let same = translator.translate(std::slice::from_ref(&document)).unwrap().remove(0).document;
        let mut written = Vec::new();
        same.write(&mut written).unwrap();
        assert!(written == bytes, "{} changed", path.display());
        let made = translated(&Capitals, &document);
        save(&made, &folder.join("capitals"), &path);
        if matches!(format, Format::Docx | Format::Odt | Format::Epub) {
            save(&made.clone().bilingual(&document, "nl"), &folder.join("bilingual"), &path);
            let range = 0..made.blocks[0].text.chars().next().map_or(0, char::len_utf8);
            let comment = Comment { block: 0, range, text: "number: `3` is missing".to_owned() };
            save(&made.clone().commented(&[comment]), &folder.join("commented"), &path);
            let preface = Preface { heading: "Summary".to_owned(), paragraphs: vec!["It rains & blows.".to_owned()] };
            save(&made.with_preface(preface), &folder.join("front"), &path);
        }
        count += 1;
    }
    assert!(count > 0, "there is no document in {}", folder.display());
}

/// The folder with files in PDF; beside each comes what is read in it.
#[cfg(feature = "pdf")]
const PDFS: &str = "KORTOM_PDFS";

#[cfg(feature = "pdf")]
#[test]
#[ignore = "needs a folder of PDF, which `tests/documents/pdf` makes"]
fn pdfs_of_other_programs_are_read() {
    let folder = std::env::var(PDFS).unwrap_or_else(|_| panic!("{PDFS} names no folder"));
    let mut count = 0;
    for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.extension().is_some_and(|extension| extension == "pdf") {
            let document = Document::read("-", File::open(&path).unwrap(), Format::Pdf);
            let text = document.map_or_else(|error| format!("error: {error:#}"), |document| document.text());
            fs::write(path.with_extension("md"), text).unwrap();
            count += 1;
        }
    }
    assert!(count > 0, "there is no PDF in {folder}");
}

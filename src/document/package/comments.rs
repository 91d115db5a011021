//! Comments that are added to a translated document: in Writer within its text, in Word in an entry of their own.

use anyhow::{Context, Result};

use super::xml::Tree;
use super::{Package, flow};
use crate::document::Format;
use crate::document::markup::{Style, escape};

/// The author of the comments.
const AUTHOR: &str = "kortom";
/// The kind of Word's comments, in its list of entries and in its relationships.
const ENTRY_KIND: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.comments+xml";
const RELATION_KIND: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/comments";
const RELATIONS: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
const NAMESPACE: &str = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
/// The same names in the strict edition of the format.
const STRICT_RELATION_KIND: &str = "http://purl.oclc.org/ooxml/officeDocument/relationships/comments";
const STRICT_NAMESPACE: &str = "http://purl.oclc.org/ooxml/wordprocessingml/main";

/// The name of an entry and its new content.
pub(super) type Changed = (String, Vec<u8>);

impl Package {
    /// Adds a comment to a block, and returns the marks to put around its range; `None` if the block cannot have a
    /// comment.
    pub(in crate::document) fn comment(&mut self, block: usize, text: &str) -> Option<[String; 2]> {
        let main = self.contents.parts.first()?;
        let is_outer = flow::outer(&main.flows).get(block).copied().unwrap_or(false);
        if !is_outer {
            return None;
        }
        let number = self.contents.first_comment + self.comments.len();
        let said = escape(text, Style::Html, false);
        match self.contents.format {
            Format::Docx => {
                let w = &self.contents.prefix;
                self.comments.push(format!(
                    "<{w}comment {w}id=\"{number}\" {w}author=\"{AUTHOR}\" {w}initials=\"k\"><{w}p><{w}r><{w}t>{said}</{w}t></{w}r></{w}p></{w}comment>"
                ));
                Some([
                    format!("<{w}commentRangeStart {w}id=\"{number}\"/>"),
                    format!(
                        "<{w}commentRangeEnd {w}id=\"{number}\"/><{w}r><{w}commentReference {w}id=\"{number}\"/></{w}r>"
                    ),
                ])
            }
            Format::Odt => {
                self.comments.push(String::new());
                Some([
                    format!(
                        "<office:annotation office:name=\"{AUTHOR}{number}\"><dc:creator xmlns:dc=\"http://purl.org/dc/elements/1.1/\">{AUTHOR}</dc:creator>\
                         <text:p>{said}</text:p></office:annotation>"
                    ),
                    format!("<office:annotation-end office:name=\"{AUTHOR}{number}\"/>"),
                ])
            }
            _ => None,
        }
    }

    /// Puts the comments of a document of Word into its entries, and returns the new entries.
    pub(super) fn add_comments(&self, changed: &mut Vec<Changed>) -> Result<Vec<Changed>> {
        if self.comments.is_empty() || self.contents.format != Format::Docx {
            return Ok(Vec::new());
        }
        let (comments, w) = (self.comments.concat(), &self.contents.prefix);
        if let Some(entry) = &self.contents.comments {
            self.append(entry, &comments, changed)?;
            return Ok(Vec::new());
        }
        let main = &self.contents.parts.first().context("a document without text")?.entry;
        let (folder, name) = main.rsplit_once('/').map_or(("", main.as_str()), |(folder, name)| (folder, name));
        let within = |entry: &str| if folder.is_empty() { entry.to_owned() } else { format!("{folder}/{entry}") };
        let entry = within("comments.xml");
        let is_strict = String::from_utf8_lossy(&self.contents.archive.read(main)?).contains(STRICT_NAMESPACE);
        let (relation_kind, namespace) =
            if is_strict { (STRICT_RELATION_KIND, STRICT_NAMESPACE) } else { (RELATION_KIND, NAMESPACE) };
        self.append(
            "[Content_Types].xml",
            &format!("<Override PartName=\"/{entry}\" ContentType=\"{ENTRY_KIND}\"/>"),
            changed,
        )?;
        let relation =
            format!("<Relationship Id=\"{AUTHOR}Comments\" Type=\"{relation_kind}\" Target=\"comments.xml\"/>");
        let list = within(&format!("_rels/{name}.rels"));
        let mut added = Vec::new();
        if self.contents.archive.has(&list) {
            self.append(&list, &relation, changed)?;
        } else {
            let content = format!("<Relationships xmlns=\"{RELATIONS}\">{relation}</Relationships>");
            added.push((list, content.into_bytes()));
        }
        let declared = format!("xmlns:{}=\"{namespace}\"", w.trim_end_matches(':'));
        let content = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<{w}comments {declared}>{comments}</{w}comments>"
        );
        added.push((entry, content.into_bytes()));
        Ok(added)
    }

    /// Appends `written` to the content of an entry's first element.
    fn append(&self, entry: &str, written: &str, changed: &mut Vec<Changed>) -> Result<()> {
        let known = changed.iter().position(|(name, _)| name == entry);
        let bytes = match known {
            Some(at) => changed.swap_remove(at).1,
            None => self.contents.archive.read(entry)?,
        };
        let mut text = super::xml::decoded(bytes)?;
        let tree = Tree::parse(&text)?;
        let root = tree.roots().find(|&root| tree.is_element(root)).context("there is no element in it")?;
        let (inner, outer, name) = (tree.inner(root), tree.outer(root), tree.qualified(root).to_owned());
        if tree.end_tag(root).is_empty() {
            let start = text[..outer.end].trim_end_matches("/>").len();
            text.replace_range(start..outer.end, &format!(">{written}</{name}>"));
        } else {
            text.insert_str(inner.end, written);
        }
        changed.push((entry.to_owned(), super::parts::in_utf8(text).into_bytes()));
        Ok(())
    }
}

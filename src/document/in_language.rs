//! What a document says of its language, after it was translated.

use std::ops::Range;

use super::{Block, BlockKind, Document, Format, feed, html, markdown, po, subtitles, xliff, xml};

impl Document {
    /// The article with what it says of itself in the language of its blocks: a web page names its language, and its title
    /// often repeats a heading. `source` is the article before it was translated, `language` a code such as `en`.
    #[must_use]
    pub fn in_language(mut self, source: &Self, language: &str) -> Self {
        if self.format == Format::Markdown {
            let changes = markdown::anchors::changes(&self.text(), &self.ranges(), &self.headings(source));
            self.relabel(&changes);
        }
        if self.is_page() {
            let headings = self.headings(source);
            let gap = html::head::translated(&self.gaps[0], &headings, language);
            self.gaps[0] = gap;
            let own = html::languages::named(&source.gaps[0]);
            let text = self.text();
            self.relabel(&html::languages::changes(&text, &self.ranges(), own.as_deref(), language));
        }
        match self.format {
            Format::Rss => self.relabel(&feed::languages(&self.text(), language)),
            Format::Po => po::doubts::mark(&mut self.gaps, &self.blocks, &source.blocks),
            Format::Vtt => self.relabel(&subtitles::languages(&self.text(), language)),
            Format::Xliff => self.relabel(&xliff::languages(&self.text(), language)),
            _ => {}
        }
        if matches!(self.format, Format::Rss | Format::Xliff) {
            self.relabel(xml::in_utf8(&self.text()).as_slice());
        }
        if self.format == Format::Po {
            self.relabel(po::in_utf8(&self.text()).as_slice());
        }
        self.package = self.package.map(|package| package.in_language(language));
        self
    }

    /// The headings of the article before it was translated, and after.
    fn headings<'d>(&'d self, source: &'d Self) -> Vec<(&'d str, &'d str)> {
        let pairs = source.blocks.iter().zip(&self.blocks);
        let headings = pairs.filter(|(source, _)| source.kind == BlockKind::Heading);
        headings.map(|(source, target)| (&*source.text, &*target.text)).collect()
    }

    /// The ranges of the blocks in the whole article.
    fn ranges(&self) -> Vec<Range<usize>> {
        let mut start = 0;
        let range = |(gap, block): (&String, &Block)| {
            let range = start + gap.len()..start + gap.len() + block.source().len();
            start = range.end;
            range
        };
        self.gaps.iter().zip(&self.blocks).map(range).collect()
    }

    /// Replaces ranges of the whole article, which are in its gaps or in the markup of its blocks.
    fn relabel(&mut self, changes: &[(Range<usize>, String)]) {
        let blocks = self.ranges();
        for (range, label) in changes.iter().rev() {
            let at = blocks.partition_point(|block| block.end <= range.start);
            let block = blocks.get(at).filter(|block| block.start <= range.start);
            if let (Some(block), Some(found)) = (block, self.blocks.get_mut(at)) {
                if let Some(markup) = found.markup.as_mut().filter(|_| range.end <= block.end) {
                    markup.edit(range.start - block.start..range.end - block.start, label);
                }
                continue;
            }
            let start = at.checked_sub(1).map_or(0, |before| blocks[before].end);
            let gap = range.start - start..range.end - start;
            if gap.end <= self.gaps[at].len() {
                self.gaps[at].replace_range(gap, label);
            }
        }
    }
}

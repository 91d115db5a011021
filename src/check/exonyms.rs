//! Names that differ between Dutch and English, and words that only one of the two capitalises.
//!
//! Responsible for the data only; what is compared belongs to `names`. A row has the beginnings of words that may stand
//! for each other, without accents: `duits` covers `Duitse` and `Duitsers`.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::Language;

/// Countries, peoples, languages, towns and institutions, a row per line: any word of a row may stand for any other.
const SAME: &str = include_str!("exonyms.txt");

/// Words that only look like names because English capitalises them, and forms of address.
const TITLES: &str = "den der ten ter van von mr mrs ms miss dr prof sir lord lady st dhr mw mevr drs ir ing mom dad mum bible internet web tv \
    ok pm am im ive ill id christian christians christmas easter catholic renaissance ii iii iv vi vii viii ix xi xii xiii \
    xiv xv xvi xix xx xxi president vice prime minister ministry king queen prince princess emperor pope saint captain capt \
    general gen colonel col sergeant sgt major doctor senator sen governor gov rep mayor secretary chief officer director \
    chairman chairwoman justice judge court supreme attorney prosecutor sheriff county state states government parliament \
    senate congress house representatives chamber committee commission council board bureau department office agency \
    institute university college academy museum hospital church party union army navy air force police commerce treasury \
    world war cup games league championship open street road avenue square park bridge river lake sea ocean mount mountain \
    mountains valley island islands bay city town district province republic kingdom empire throne age ages century eve act \
    law treaty constitution declaration north south east west northern southern eastern western central middle mother father \
    aunt uncle earth sun moon democrats republicans democratic republican democrat liberal conservative labour federal \
    national international royal holy civil rights nations security hemisphere disorder syndrome disease virus affairs electoral hall hurricane marshal superintendent garden gardens symphony orchestra creek executive chancellor \
    archbishop bishop spokesman spokeswoman senior junior secretaries hq inc ltd presidential governing treasurer exchange \
    meneer marine kapitein kanselier aartsbisschop bisschop grondwet stichting verdrag congres gebergte staats nota \
    eeuw kamer rijk unie raad hof koninkrijk republiek bestuur zaken procureur paragraaf afgevaardigden hoogheid majesteit";

/// The most common words that Dutch and English write in lower case.
const ORDINARY: [&str; 2] = [include_str!("ordinary.nl.txt"), include_str!("ordinary.en.txt")];

static WORDS: LazyLock<[HashSet<&str>; 2]> =
    LazyLock::new(|| ORDINARY.map(|words| words.split_whitespace().chain(TITLES.split_whitespace()).collect()));

/// Beginnings of words, each with the number of its row, by their first two bytes.
type Stems = HashMap<&'static [u8], Vec<(&'static str, usize)>>;

/// All beginnings of words in [`SAME`].
static STEMS: LazyLock<Stems> = LazyLock::new(|| {
    let mut stems = Stems::new();
    for (row, line) in SAME.lines().enumerate() {
        for stem in line.split(' ') {
            stems.entry(&stem.as_bytes()[..2]).or_default().push((stem, row));
        }
    }
    stems
});

/// Whether a name's word is an ordinary word, which a translation need not keep. A Dutch compound of such words is
/// ordinary too.
pub(crate) fn is_ordinary(word: &str, language: Language) -> bool {
    let known = &WORDS[language as usize];
    known.contains(word) || (language == Language::Dutch && word.len() >= LONG && is_compound(word, known, 3))
}

/// Length in bytes from which on a word is tested for being a compound; many shorter surnames could be one.
const LONG: usize = 9;

/// Whether a word is one of the commonest.
pub(crate) fn is_common(word: &str, language: Language) -> bool {
    WORDS[language as usize].contains(word)
}

/// Whether a word is put together of two ordinary ones, however short they are.
pub(crate) fn is_put_together(word: &str, language: Language) -> bool {
    is_compound(word, &WORDS[language as usize], 2)
}

/// Whether a word consists of up to `parts` ordinary words.
fn is_compound(word: &str, known: &HashSet<&str>, parts: usize) -> bool {
    let rest = |rest: &str| known.contains(rest) || (parts > 2 && is_compound(rest, known, parts - 1));
    let cuts = (3..word.len().saturating_sub(2)).filter(|&at| word.is_char_boundary(at));
    cuts.map(|at| word.split_at(at))
        .any(|(head, tail)| known.contains(head) && (rest(tail) || tail.strip_prefix('s').is_some_and(rest)))
}

/// The rows of [`SAME`] that a word belongs to.
pub(super) fn rows(word: &str) -> impl Iterator<Item = usize> {
    let stems = word.as_bytes().get(..2).and_then(|begin| STEMS.get(begin));
    let fits = move |stem: &str| word.starts_with(stem) && (stem.len() > 2 || word.len() == stem.len());
    stems.into_iter().flatten().filter(move |(stem, _)| fits(stem)).map(|&(_, row)| row)
}

//! The inflected forms of a Dutch word of a glossary, and the plural of an English term.
//!
//! Rules of spelling, not a dictionary: they also make forms that do not exist, which match nothing.
//! Invariant: a word is always one of its own forms.

/// A form of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WordForm {
    pub(super) text: String,
    /// Whether the form is a plural, as far as its ending tells.
    pub(super) plural: bool,
}

/// Nouns whose vowel changes in the plural, also at the end of a compound.
const IRREGULAR: [(&str, &str); 28] = [
    ("stad", "steden"),
    ("lid", "leden"),
    ("schip", "schepen"),
    ("smid", "smeden"),
    ("heid", "heden"),
    ("dag", "dagen"),
    ("weg", "wegen"),
    ("dak", "daken"),
    ("glas", "glazen"),
    ("vat", "vaten"),
    ("pad", "paden"),
    ("slot", "sloten"),
    ("lot", "loten"),
    ("god", "goden"),
    ("hof", "hoven"),
    ("schot", "schoten"),
    ("spel", "spelen"),
    ("bad", "baden"),
    ("gat", "gaten"),
    ("blad", "bladen"),
    ("graf", "graven"),
    ("staf", "staven"),
    ("verdrag", "verdragen"),
    ("bedrag", "bedragen"),
    ("gebrek", "gebreken"),
    ("gebed", "gebeden"),
    ("bevel", "bevelen"),
    ("oorlog", "oorlogen"),
];

/// All forms of a Dutch word in small letters: plural in -en, -s, -'s; -e; diminutive in -je(s).
pub(super) fn dutch(word: &str) -> Vec<WordForm> {
    let letters: Vec<char> = word.chars().collect();
    let mut forms = vec![WordForm { text: word.to_owned(), plural: false }];
    if letters.len() < 3 || !letters.iter().all(|c| c.is_alphabetic()) {
        return forms;
    }
    let mut add = |text: String, plural| {
        if forms.iter().all(|form| form.text != text) {
            forms.push(WordForm { text, plural });
        }
    };
    for stem in stems(&letters) {
        add(format!("{stem}en"), true);
        add(format!("{stem}e"), false);
    }
    for ending in ["s", "'s", "n", "ën", "eren"] {
        add(format!("{word}{ending}"), true);
    }
    if let Some(stem) = word.strip_suffix('e') {
        add(format!("{stem}ën"), true);
    }
    for (ending, plural) in IRREGULAR {
        if let Some(stem) = word.strip_suffix(ending) {
            add(format!("{stem}{plural}"), true);
        }
    }
    for small in diminutives(word, &letters) {
        add(format!("{small}s"), true);
        add(small, false);
    }
    forms
}

fn is_vowel(c: char) -> bool {
    "aeiouyáéíóúàèìòùâêîôûäëïöü".contains(c)
}

/// What the endings -en and -e are put to: an open syllable has one vowel letter where a closed one has two, a
/// short vowel has the consonant doubled after it, and f and s become v and z.
fn stems(letters: &[char]) -> Vec<String> {
    let word: String = letters.iter().collect();
    let [.., before, vowel, last] = letters[..] else { return vec![word] };
    if is_vowel(last) {
        return Vec::new();
    }
    let head = |drop: usize| letters[..letters.len() - drop].iter().collect::<String>();
    let mut stems = if is_vowel(vowel) && before == vowel {
        vec![format!("{}{last}", head(2))]
    } else if is_vowel(vowel) && !is_vowel(before) {
        let syllables = letters.windows(2).filter(|pair| is_vowel(pair[0]) && !is_vowel(pair[1])).count();
        let doubled = format!("{word}{last}");
        if syllables > 1 { vec![doubled, word.clone()] } else { vec![doubled] }
    } else {
        vec![word.clone()]
    };
    let voiced = match last {
        'f' => 'v',
        's' => 'z',
        _ => return stems,
    };
    // A doubled consonant stays what it is.
    let single = stems.iter().find(|stem| stem.len() <= word.len()).and_then(|stem| stem.strip_suffix(last));
    let softened = single.map(|stem| format!("{stem}{voiced}"));
    stems.extend(softened);
    stems
}

fn diminutives(word: &str, letters: &[char]) -> Vec<String> {
    let mut forms: Vec<String> = ["je", "tje", "pje", "'tje"].iter().map(|ending| format!("{word}{ending}")).collect();
    if let Some(&last) = letters.last() {
        forms.push(format!("{word}{last}{}", if is_vowel(last) { "tje" } else { "etje" }));
        forms.push(format!("{word}etje"));
    }
    forms.extend(word.strip_suffix("ing").map(|stem| format!("{stem}inkje")));
    forms
}

/// The plural of an English term: that of its last word; none where it does not end in a small letter.
pub(super) fn english_plural(term: &str) -> Option<String> {
    let mut letters = term.chars().rev();
    let last = letters.next().filter(|c| c.is_lowercase())?;
    let before = letters.next().unwrap_or(' ');
    let sibilant = matches!(last, 's' | 'x' | 'z') || (last == 'h' && matches!(before, 'c' | 's'));
    Some(match term.strip_suffix('y') {
        Some(stem) if !is_vowel(before) => format!("{stem}ies"),
        _ if sibilant => format!("{term}es"),
        _ => format!("{term}s"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dutch_words_are_found_in_their_forms() {
        for (word, expected) in [
            ("bom", "bommen bommetje bommetjes"),
            ("boom", "bomen boompje boompjes"),
            ("maan", "manen maantje"),
            ("huis", "huizen huisje huisjes"),
            ("brief", "brieven briefje"),
            ("prijs", "prijzen prijsje"),
            ("bedrijf", "bedrijven bedrijfje"),
            ("golf", "golven golfje"),
            ("grens", "grenzen grensje"),
            ("les", "lessen lesje"),
            ("stof", "stoffen stofje"),
            ("foto", "foto's fotootje"),
            ("baby", "baby's baby'tje"),
            ("ziekte", "ziekten ziektes"),
            ("idee", "ideeën"),
            ("olie", "oliën"),
            ("kind", "kinderen kindje"),
            ("groot", "grote"),
            ("wit", "witte"),
            ("lief", "lieve"),
            ("rood", "rode"),
            ("nieuw", "nieuwe nieuws"),
            ("monnik", "monniken monniks"),
            ("asielzoeker", "asielzoekers"),
            ("gemeenteraad", "gemeenteraden gemeenteraadje"),
            ("raadslid", "raadsleden"),
            ("hoofdstad", "hoofdsteden"),
            ("waarheid", "waarheden"),
            ("verkiezingsdag", "verkiezingsdagen"),
            ("ring", "ringen ringetje"),
            ("koning", "koningen koninkje"),
            ("minister", "ministers"),
            ("wet", "wetten"),
            ("wetsvoorstel", "wetsvoorstellen"),
            ("school", "scholen"),
        ] {
            let forms = dutch(word);
            for expected in expected.split(' ').chain([word]) {
                assert!(forms.iter().any(|form| form.text == expected), "{expected} of {word}: {forms:?}");
            }
        }
    }

    #[test]
    fn other_words_are_no_forms() {
        for (word, other) in
            [("bom", "bomen"), ("maan", "mannen"), ("wet", "weten"), ("de", "den"), ("ruit", "ruiten-")]
        {
            assert!(dutch(word).iter().all(|form| form.text != other), "{other} of {word}");
        }
    }

    #[test]
    fn plurals_are_told_from_other_forms() {
        let plural = |word: &str, form: &str| dutch(word).iter().any(|known| known.text == form && known.plural);
        assert!(plural("wet", "wetten") && plural("huis", "huisjes") && plural("foto", "foto's"));
        assert!(!plural("wet", "wet") && !plural("wit", "witte") && !plural("huis", "huisje"));
    }

    #[test]
    fn english_plurals() {
        for (term, plural) in [("policy", "policies"), ("day", "days"), ("tax", "taxes"), ("bench", "benches")] {
            assert_eq!(english_plural(term).as_deref(), Some(plural));
        }
        assert_eq!(english_plural("Supreme Court").as_deref(), Some("Supreme Courts"));
        assert_eq!((english_plural("EU"), english_plural("")), (None, None));
    }
}

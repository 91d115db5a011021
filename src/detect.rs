//! Detection of the language of a text.
//!
//! Two libraries answer. lingua is used for Dutch, for languages near it (Afrikaans, German, English) and for French.
//! whatlang is used for all others, because lingua needs about 5 MB of data for each language. How often they are
//! right is in docs/decisions/language-detection.md. Neither knows Frisian: lingua takes it for Dutch or German,
//! whatlang for Afrikaans or Dutch. It is recognised by its most frequent words, which those languages do not have.
//!
//! Invariant: the answer depends on the text alone, lists the likeliest language first, and is empty for a text
//! without letters that either library knows. If the two disagree about a long text, neither answer is certain. What
//! follows from an answer belongs to the callers.

use std::sync::LazyLock;

use lingua::{Language, LanguageDetector, LanguageDetectorBuilder};
use serde::Serialize;
use whatlang::Lang;

use crate::language::{Code, canonical, two_letters};

/// A language that a text may be in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Detected {
    /// The ISO 639-1 code.
    pub language: &'static str,
    /// The confidence, from 0 to 1.
    pub confidence: f32,
}

impl Detected {
    /// A detected language with its confidence rounded, because the last bits of a sum depend on the order of its parts.
    fn new(language: &'static str, confidence: f64) -> Self {
        Self { language, confidence: (confidence.clamp(0.0, 1.0) * 1000.0).round() as f32 / 1000.0 }
    }

    /// Whether the confidence is so high that a reader would not doubt it.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.confidence >= CERTAIN
    }
}

/// Fewest letters of a text that can be distinguished from one in a related language.
const MANY_LETTERS: usize = 150;
/// Number of letters from which on both libraries are right, or the text is in none of the languages they know.
const UNDISPUTED_LETTERS: usize = 250;
/// Number of bytes of a text that are read; more would not change the answer.
const MOST_BYTES: usize = 6000;
/// The confidence from which on an answer counts as certain.
const CERTAIN: f32 = 0.9;
/// The confidence from which on whatlang's answer is taken for a language that lingua was not built with, in a short
/// text and in a long one.
const BELIEVED: [f64; 2] = [0.2, 0.05];
/// Fewest words of a sentence whose language can be detected.
const TELLING_WORDS: usize = 6;
/// The greatest share of a foreign article, by length, that sentences in the expected language may have. Only
/// sentences of [`TELLING_WORDS`] or more are counted.
const STRAY: f32 = 0.1;

/// Frequent words of Frisian that Dutch, Afrikaans and German do not have. `it` and `fan` are left out, because other
/// languages have them with another meaning.
const FRISIAN: &str =
    "yn foar troch wurdt wurde wurden hat hawwe hie binne wiene nei mar út ôf dy dêr jier soe hjir oan gjin";
/// The least share of [`FRISIAN`] words among the words of a text in Frisian, and their least number. None of FLORES
/// dev's 997 Dutch sentences has any of these words.
const FRISIAN_SHARE: f32 = 0.07;
const FRISIAN_WORDS: usize = 2;

static NEIGHBOURS: LazyLock<LanguageDetector> = LazyLock::new(|| {
    use Language::{Afrikaans, Dutch, English, French, German};
    LanguageDetectorBuilder::from_languages(&[Afrikaans, Dutch, English, French, German]).build()
});

/// The languages a text may be in, the likeliest first; none for a text without letters that are known.
#[must_use]
pub fn language(text: &str) -> Vec<Detected> {
    let text = beginning(text);
    let letters = letters(text);
    if letters == 0 {
        return Vec::new();
    }
    let values = NEIGHBOURS.compute_language_confidence_values(text);
    let mut found: Vec<(&str, f64)> =
        values.into_iter().filter(|(_, sure)| *sure > 0.0).map(|(language, sure)| (code(language), sure)).collect();
    if let Some(other) = whatlang::detect(text) {
        let (language, sure) = (code_of(other.lang()), other.confidence());
        let near = neighbour(other.lang());
        if !near && sure >= BELIEVED[usize::from(letters >= MANY_LETTERS)] {
            // whatlang's answer is taken first, with its own confidence, but at least 0.5; the others share the rest.
            let sure = sure.max(0.5);
            for (_, rest) in &mut found {
                *rest *= 1.0 - sure;
            }
            found.insert(0, (language, sure));
        } else if found.is_empty() {
            // The text is in an alphabet of which lingua was built with no language.
            found.push((language, sure));
        } else if letters >= UNDISPUTED_LETTERS && found[0].0 != language {
            found = vec![(found[0].0, 0.5), (language, 0.5)];
        }
    }
    if let Some(&(best @ ("nl" | "af" | "de"), _)) = found.first()
        && is_frisian(text)
    {
        found = vec![("fy", CERTAIN.into()), (best, 1.0 - f64::from(CERTAIN))];
    }
    found.into_iter().map(|(language, sure)| Detected::new(language, sure)).filter(|one| one.confidence > 0.0).collect()
}

/// Whether a text has letters enough to tell related languages apart.
#[must_use]
pub fn is_long(text: &str) -> bool {
    letters(beginning(text)) >= MANY_LETTERS
}

/// Whether a text is most likely in the expected language, and has words enough to tell: six or more.
#[must_use]
pub fn tells_language(text: &str, expected: &str) -> bool {
    let is_telling = text.split_whitespace().count() >= TELLING_WORDS;
    is_telling && language(text).first().is_some_and(|best| is(best.language, expected))
}

/// The language of an article if it is clearly not the expected one. Foreign quotations in an article do not make it
/// foreign.
#[must_use]
pub fn foreign(text: &str, expected: &str) -> Option<Detected> {
    if is_undisputed(beginning(text), expected) {
        return None;
    }
    let found = language(text).into_iter().next()?;
    if is(found.language, expected) || !found.is_certain() || !is_long(text) {
        return None;
    }
    let mut telling = 0;
    let mut as_expected = 0;
    for sentence in beginning(text).split_inclusive(['.', '!', '?', ':', '\n', '"', '“', '”', '„', '«', '»']) {
        if sentence.split_whitespace().count() < TELLING_WORDS {
            continue;
        }
        telling += sentence.len();
        if language(sentence).first().is_some_and(|best| is(best.language, expected)) {
            as_expected += sentence.len();
        }
    }
    (as_expected as f32 <= STRAY * telling as f32).then_some(found)
}

/// Whether whatlang finds the expected language in a text so long that a different answer of lingua could not be
/// certain. whatlang takes a tenth of lingua's time.
fn is_undisputed(text: &str, expected: &str) -> bool {
    let as_expected = |lang| is(code_of(lang), expected);
    letters(text) >= UNDISPUTED_LETTERS && whatlang::detect_lang(text).is_some_and(as_expected) && !is_frisian(text)
}

/// The English name of a language, or its code if no name is known.
#[must_use]
pub fn name(code: &str) -> &str {
    let parsed = Code::parse(code);
    if parsed.short() == "fy" {
        return "Frisian";
    }
    Lang::all().iter().find(|lang| code_of(**lang) == parsed.short()).map_or(code, |lang| lang.eng_name())
}

/// The beginning of a text: the bytes that are read.
fn beginning(text: &str) -> &str {
    let mut end = text.len().min(MOST_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Whether a text that was taken for Dutch, Afrikaans or German has enough [`FRISIAN`] words to be in Frisian.
fn is_frisian(text: &str) -> bool {
    let words = text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    let (mut all, mut known) = (0, 0);
    for word in words.map(str::to_lowercase) {
        all += 1;
        known += usize::from(FRISIAN.split(' ').any(|one| one == word));
    }
    known >= FRISIAN_WORDS && known as f32 >= FRISIAN_SHARE * all as f32
}

fn letters(text: &str) -> usize {
    text.chars().filter(|c| c.is_alphabetic()).count()
}

/// The ISO 639-1 code of a language that lingua was built with.
fn code(language: Language) -> &'static str {
    match language {
        Language::Afrikaans => "af",
        Language::Dutch => "nl",
        Language::English => "en",
        Language::French => "fr",
        Language::German => "de",
    }
}

/// Whether lingua was built with a language; its answer is better than whatlang's there.
fn neighbour(lang: Lang) -> bool {
    matches!(lang, Lang::Afr | Lang::Nld | Lang::Eng | Lang::Fra | Lang::Deu)
}

/// The ISO 639-1 code of a language.
fn code_of(lang: Lang) -> &'static str {
    // A member of a macrolanguage has the code of the macrolanguage: Mandarin has that of Chinese.
    two_letters(lang.code()).or_else(|| two_letters(canonical(lang.code()))).unwrap_or(lang.code())
}

/// Whether a code in any spelling (`nl`, `nl_XX`, `nld_Latn`) means this language.
fn is(language: &str, spelled: &str) -> bool {
    Code::parse(spelled).serves(&Code::parse(language))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUTCH: &str = "De gemeente wil dat er op het oude terrein woningen komen, maar de buurt is het er niet mee eens. Ze vindt dat een park beter is voor de kinderen en dat het verkeer nu al te druk wordt. Volgende maand beslist de raad erover.";
    const ENGLISH: &str = "\"The council wants homes to be built on the old site, but the neighbours are not happy with this,\" she said. \"They say that a park is better for the children and that traffic is already too heavy.\"";

    const SPEECH: &str = "We shall never agree to this plan, whatever the mayor promises us in his speeches. My family has lived here for sixty years and nobody ever asked our opinion about anything. Give our daughters and sons a place where they can play football, and let the builders look somewhere else. There is plenty of empty land behind the railway station, which has been waiting for a buyer since the factory closed.";

    fn best(text: &str) -> &'static str {
        language(text).first().map_or("", |best| best.language)
    }

    #[test]
    fn languages_are_told_apart() {
        let texts = [
            ("nl", DUTCH),
            ("en", ENGLISH),
            (
                "de",
                "Die Gemeinde will, dass auf dem alten Gelände Wohnungen gebaut werden, aber die Nachbarn sind nicht zufrieden.",
            ),
            (
                "fr",
                "La commune veut que des logements soient construits sur le vieux terrain, mais les voisins ne sont pas contents.",
            ),
            (
                "af",
                "Die munisipaliteit wil hê dat daar nuwe huise op die ou terrein gebou word, maar die bure stem nie saam nie.",
            ),
            ("pl", "Gmina chce, aby na starym terenie powstały mieszkania, ale sąsiedzi nie są z tego zadowoleni."),
            ("ru", "Город хочет построить на старом участке дома, но соседи недовольны."),
            ("ja", "市は古い敷地に住宅を建てたいと考えているが、近所の人々は満足していない。"),
            ("nl", "Het regent vandaag."),
            ("nl", "De brug is in mei klaar."),
            ("nl", "Politie houdt drie mannen aan"),
        ];
        for (code, text) in texts {
            assert_eq!(best(text), code, "{text}: {:?}", language(text));
        }
        assert!(language(DUTCH)[0].is_certain());
        assert!(tells_language(DUTCH, "nl_XX") && !tells_language(DUTCH, "de") && !tells_language("Het regent.", "nl"));
    }

    #[test]
    fn letters_that_nobody_knows_say_nothing() {
        for text in ["𝐇𝐞𝐭 𝐫𝐞𝐠𝐞𝐧𝐭 𝐯𝐚𝐧𝐝𝐚𝐚𝐠 𝐢𝐧 𝐝𝐞 𝐬𝐭𝐚𝐝", "ᚠᚢᚦᚨᚱᚲ"]
        {
            assert_eq!(language(text), []);
        }
    }

    #[test]
    fn the_best_comes_first_and_what_is_no_text_is_nothing() {
        for text in [
            DUTCH,
            "Het regent.",
            "Gmina chce, aby na starym terenie powstały mieszkania",
            "Kommunen vil bygge boliger",
        ] {
            let found = language(text);
            assert!(found.is_sorted_by(|a, b| a.confidence >= b.confidence), "{found:?}");
            assert!(found.iter().all(|one| (0.0..=1.0).contains(&one.confidence)), "{found:?}");
            assert_eq!(found, language(text));
        }
        assert_eq!(language(""), []);
        assert_eq!(language("2-1 (***) 30.000"), []);
    }

    #[test]
    fn frisian_is_known_by_its_words() {
        let text = "De gemeente wol dat der op it âlde terrein nije wenten komme, mar de buert is it der net mei iens. It reint hjoed yn de hiele provinsje en moarn wurdt it net folle better. De bern moatte nei skoalle, ek at it min waar is. Wy ha juster mei de boat oer de mar fearn. De plysje siket noch nei de man dy't ôfrûne moandei út de winkel wegrûn is. Der wiene mear as tûzen minsken op it feest yn Ljouwert.";
        assert!(best(text) == "fy" && language(text)[0].is_certain(), "{:?}", language(text));
        assert_eq!(best("De plysje siket noch nei de man dy't út de winkel wegrûn is."), "fy");
        // Words that it shares with Dutch and Afrikaans are no sign of it.
        assert_eq!(
            best("De fan zag net in mei wie er in de mist liep, en hoe oud dat IT-bedrijf in Mar del Plata was."),
            "nl"
        );
    }

    #[test]
    fn only_an_article_that_is_foreign_throughout_is_foreign() {
        let long = ENGLISH.repeat(4);
        assert_eq!(foreign(&long, "nl").map(|found| found.language), Some("en"));
        assert_eq!(foreign(&long, "en"), None);
        assert_eq!(foreign("They say that a park is better.", "nl"), None);
        // A fifth of it is Dutch: what it quotes is English, and it is a Dutch article.
        let quoting = format!("{ENGLISH} {SPEECH}\n\n{}", &DUTCH[..=DUTCH.find(". ").unwrap()]);
        assert_eq!(foreign(&format!("{ENGLISH} {SPEECH}"), "nl").map(|found| found.language), Some("en"));
        assert_eq!((best(&quoting), foreign(&quoting, "nl")), ("en", None));
    }

    #[test]
    fn where_there_is_nothing_to_dispute_the_long_way_finds_nothing_foreign() {
        let dutch = DUTCH.repeat(2);
        let texts = [
            dutch.clone(),
            ENGLISH.repeat(2),
            format!("{ENGLISH} {DUTCH}"),
            format!("{SPEECH} {DUTCH}"),
            FRISIAN.repeat(4),
        ];
        for text in texts {
            for expected in ["nl", "en", "nld_Latn", "af", "de", "fy", "pl"] {
                let certain =
                    language(&text).first().is_some_and(|best| best.is_certain() && !is(best.language, expected));
                assert!(!(is_undisputed(&text, expected) && certain), "{expected}: {text}");
            }
        }
        assert!(is_undisputed(&dutch, "nl") && !is_undisputed(&dutch, "en") && !is_undisputed("Het regent.", "nl"));
    }

    #[test]
    fn languages_have_names_and_codes() {
        assert_eq!((name("nl"), name("fy"), name("xx")), ("Dutch", "Frisian", "xx"));
        assert!(Lang::all().iter().all(|lang| code_of(*lang).len() == 2));
        assert!(is("nl", "nl_XX") && is("nl", "nld_Latn") && is("nl", "NL") && !is("nl", "de_DE"));
    }
}

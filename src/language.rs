//! Which language a text is probably in.
//!
//! Invariant: a guess is made only where it is safe: enough words, and one language well ahead. It counts
//! the commonest little words of each language, which no text of some length can do without. What
//! follows from a guess is for others to say.

/// Codes and the commonest little words; words that two of them share are left out where they mislead.
const LANGUAGES: [(&str, &[&str]); 7] = [
    (
        "nl",
        &[
            "de", "het", "een", "van", "en", "dat", "niet", "op", "te", "zijn", "met", "voor", "ook", "maar", "naar",
            "bij", "uit", "wordt", "aan", "werd", "ze", "hij",
        ],
    ),
    (
        "en",
        &[
            "the", "of", "and", "to", "that", "is", "was", "for", "with", "on", "it", "he", "by", "at", "from", "this",
            "have", "not", "but", "are", "they", "which",
        ],
    ),
    (
        "de",
        &[
            "der", "die", "das", "und", "nicht", "ein", "eine", "mit", "von", "zu", "den", "dem", "auf", "sich", "ist",
            "auch", "für", "wird", "im", "des", "sie", "er",
        ],
    ),
    (
        "fr",
        &[
            "le", "la", "les", "et", "des", "du", "un", "une", "dans", "que", "qui", "pour", "pas", "sur", "au", "est",
            "avec", "il", "ce", "par", "elle", "plus",
        ],
    ),
    (
        "es",
        &[
            "el", "los", "las", "y", "del", "que", "por", "una", "con", "para", "no", "se", "su", "al", "lo", "como",
            "más", "pero", "fue", "es", "ha", "este",
        ],
    ),
    (
        "it",
        &[
            "il", "di", "che", "non", "per", "una", "con", "gli", "della", "del", "sono", "più", "anche", "nel",
            "alla", "ma", "si", "dei", "da", "è", "ha", "questo",
        ],
    ),
    (
        "af",
        &[
            "die", "het", "nie", "van", "en", "wat", "vir", "sy", "met", "aan", "hulle", "ook", "om", "na", "ek", "jy",
            "was", "hy", "uit", "maar", "word", "deur",
        ],
    ),
];

/// Fewer words than this say nothing.
const ENOUGH_WORDS: usize = 30;
/// Words that are looked at; more would not change the guess.
const MOST_WORDS: usize = 2000;
/// How many times as often as those of any other language its little words must occur.
const LEAD: f32 = 1.5;

/// The code of the language, where it can be told.
#[must_use]
pub fn guess(text: &str) -> Option<&'static str> {
    let words = text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    let words: Vec<String> = words.take(MOST_WORDS).map(str::to_lowercase).collect();
    if words.len() < ENOUGH_WORDS {
        return None;
    }
    let count = |little: &[&str]| words.iter().filter(|word| little.contains(&word.as_str())).count();
    let mut counts = LANGUAGES.map(|(code, little)| (count(little), code));
    counts.sort_by_key(|&(count, _)| usize::MAX - count);
    let [(best, code), (second, _), ..] = counts;
    (best * 8 >= words.len() && best as f32 >= LEAD * second as f32).then_some(code)
}

/// A language's name in English, where it is one of those that can be told.
#[must_use]
pub fn name(code: &str) -> &str {
    match code {
        "nl" => "Dutch",
        "en" => "English",
        "de" => "German",
        "fr" => "French",
        "es" => "Spanish",
        "it" => "Italian",
        "af" => "Afrikaans",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_told_apart_where_there_is_enough_text() {
        let texts = [
            (
                "nl",
                "De gemeente wil dat er op het oude terrein woningen komen, maar de buurt is het er niet mee eens. Ze vindt dat een park beter is voor de kinderen en dat het verkeer nu al te druk wordt.",
            ),
            (
                "en",
                "The council wants homes to be built on the old site, but the neighbours are not happy with this. They say that a park is better for the children and that traffic is already too heavy.",
            ),
            (
                "de",
                "Die Gemeinde will, dass auf dem alten Gelände Wohnungen gebaut werden, aber die Nachbarn sind nicht zufrieden. Sie sagen, dass ein Park für die Kinder besser ist und der Verkehr schon jetzt zu stark wird.",
            ),
            (
                "fr",
                "La commune veut que des logements soient construits sur le vieux terrain, mais les voisins ne sont pas contents. Ils disent que pour les enfants un parc est mieux et que la circulation est trop forte dans le quartier.",
            ),
        ];
        for (code, text) in texts {
            assert_eq!(guess(text), Some(code), "{text}");
        }
        assert_eq!(guess("Het regent in de stad."), None);
        assert_eq!(guess(&"1 2 3 ".repeat(50)), None);
    }
}

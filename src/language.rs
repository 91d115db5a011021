//! Language codes: the many codes of one language are brought to one form.
//!
//! Invariant: two codes are the same language exactly if their `Code`s agree, and nothing else in the crate takes a code
//! apart. So `nl`, `nl-BE`, `nld`, `dut`, `nl_XX` and `nld_Latn` mean Dutch to the tokenizer, the checks, the glossary, the
//! sentence rules and the server alike. Which languages a model knows belongs to `tokenizer`.

/// A language for which kortom has rules of its own: for sentences, for checks, for the forms of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Dutch, Flemish included.
    Dutch,
    /// English.
    English,
}

impl Language {
    /// The language of a code; `None` if kortom has no rules for it.
    #[must_use]
    pub fn known(code: &str) -> Option<Self> {
        match Code::parse(code).language.as_str() {
            "nld" | "vls" => Some(Self::Dutch),
            "eng" => Some(Self::English),
            _ => None,
        }
    }

    /// The language whose rules for sentences fit the language of a code best: Dutch for Dutch and for Afrikaans,
    /// which abbreviates as Dutch does, and English for all others, because its abbreviations are the most widely
    /// used.
    #[must_use]
    pub fn of(code: &str) -> Self {
        let nearest = || if Code::parse(code).language == "afr" { Self::Dutch } else { Self::English };
        Self::known(code).unwrap_or_else(nearest)
    }
}

/// A language, and the script and region where the code names them.
#[derive(Clone, Debug)]
pub struct Code {
    /// ISO 639-3, a macrolanguage where there is one.
    language: String,
    /// The language as it was written, in small letters.
    written: String,
    script: Option<String>,
    region: Option<String>,
}

impl Code {
    /// Reads `nl`, `nld`, `dut`, `nl-NL`, `nl_XX`, `nld_Latn`, `__nl__`, `>>nld<<` or `<2nl>`.
    #[must_use]
    pub fn parse(code: &str) -> Self {
        let mut parts = bare(code).split(['_', '-']);
        let written = parts.next().unwrap_or_default().to_lowercase();
        let (mut script, mut region) = (None, None);
        for part in parts {
            match part.len() {
                4 if script.is_none() => script = Some(part.to_lowercase()),
                // mBART writes `XX` if there is no region.
                2 if region.is_none() && part != "XX" => region = Some(part.to_uppercase()),
                _ => {}
            }
        }
        Self { language: canonical(&written).to_owned(), written, script, region }
    }

    /// Whether a model with the language `self` can be used for the requested language `asked`: equal languages, and
    /// scripts that do not differ.
    #[must_use]
    pub fn serves(&self, asked: &Self) -> bool {
        self.language == asked.language
            && (asked.script.is_none() || self.script.is_none() || self.script == asked.script)
    }

    /// Whether the code is one of a single language, and not of a group of languages such as `gmw` or `ROMANCE`.
    #[must_use]
    pub fn is_language(&self) -> bool {
        let known = |list: &[&str]| list.contains(&self.language.as_str());
        PAIRS.iter().any(|&(_, long)| long == self.language) || known(ONLY_LONG)
    }

    /// The shortest code of the language: ISO 639-1 where there is one, else as it was written.
    #[must_use]
    pub fn short(&self) -> &str {
        two_letters(&self.written).or_else(|| two_letters(&self.language)).unwrap_or(&self.written)
    }

    /// The language tag for documents (BCP 47): `nl`, `en-GB`, `zh-Hant`. The Latin script is not written.
    #[must_use]
    pub fn tag(&self) -> String {
        let mut tag = self.short().to_owned();
        if let Some(script) = self.script.as_ref().filter(|script| *script != "latn") {
            tag.push('-');
            tag.push_str(&script[..1].to_uppercase());
            tag.push_str(&script[1..]);
        }
        if let Some(region) = &self.region {
            tag.push('-');
            tag.push_str(region);
        }
        tag
    }
}

/// The ISO 639-1 code of a language, from its code of two or three letters; `None` if it has no such code.
#[must_use]
pub fn two_letters(code: &str) -> Option<&'static str> {
    PAIRS.iter().find(|&&(short, long)| short == code || long == code).map(|&(short, _)| short)
}

/// The language code inside a token such as `>>nld<<`, `__nl__` or `<2nl>`; any other token is returned as it is.
#[must_use]
pub fn bare(token: &str) -> &str {
    let inner = |start: &str, end: &str| token.strip_prefix(start)?.strip_suffix(end).filter(|inner| !inner.is_empty());
    inner(">>", "<<").or_else(|| inner("__", "__")).or_else(|| inner("<2", ">")).unwrap_or(token)
}

/// The ISO 639-3 code for a code of two letters, an older code, or a member of a macrolanguage.
#[must_use]
pub fn canonical(code: &str) -> &str {
    let long = PAIRS.iter().find(|&&(short, _)| short == code).map_or(code, |&(_, long)| long);
    MEMBERS.iter().find(|&&(member, _)| member == long).map_or(long, |&(_, group)| group)
}

/// ISO 639-1 codes with their ISO 639-3 codes. At the end there are withdrawn and private codes that models use.
#[rustfmt::skip]
const PAIRS: &[(&str, &str)] = &[
    ("aa", "aar"), ("ab", "abk"), ("af", "afr"), ("ak", "aka"), ("am", "amh"), ("an", "arg"), ("ar", "ara"), ("as", "asm"),
    ("av", "ava"), ("ay", "aym"), ("az", "aze"), ("ba", "bak"), ("be", "bel"), ("bg", "bul"), ("bi", "bis"), ("bm", "bam"),
    ("bn", "ben"), ("bo", "bod"), ("br", "bre"), ("bs", "bos"), ("ca", "cat"), ("ce", "che"), ("ch", "cha"), ("co", "cos"),
    ("cs", "ces"), ("cv", "chv"), ("cy", "cym"), ("da", "dan"), ("de", "deu"), ("dv", "div"), ("dz", "dzo"), ("ee", "ewe"),
    ("el", "ell"), ("en", "eng"), ("eo", "epo"), ("es", "spa"), ("et", "est"), ("eu", "eus"), ("fa", "fas"), ("ff", "ful"),
    ("fi", "fin"), ("fj", "fij"), ("fo", "fao"), ("fr", "fra"), ("fy", "fry"), ("ga", "gle"), ("gd", "gla"), ("gl", "glg"),
    ("gn", "grn"), ("gu", "guj"), ("gv", "glv"), ("ha", "hau"), ("he", "heb"), ("hi", "hin"), ("hr", "hrv"), ("ht", "hat"),
    ("hu", "hun"), ("hy", "hye"), ("ia", "ina"), ("id", "ind"), ("ig", "ibo"), ("is", "isl"), ("it", "ita"), ("iu", "iku"),
    ("ja", "jpn"), ("jv", "jav"), ("ka", "kat"), ("kg", "kon"), ("ki", "kik"), ("kk", "kaz"), ("kl", "kal"), ("km", "khm"),
    ("kn", "kan"), ("ko", "kor"), ("kr", "kau"), ("ks", "kas"), ("ku", "kur"), ("kv", "kom"), ("kw", "cor"), ("ky", "kir"),
    ("la", "lat"), ("lb", "ltz"), ("lg", "lug"), ("li", "lim"), ("ln", "lin"), ("lo", "lao"), ("lt", "lit"), ("lu", "lub"),
    ("lv", "lav"), ("mg", "mlg"), ("mh", "mah"), ("mi", "mri"), ("mk", "mkd"), ("ml", "mal"), ("mn", "mon"), ("mr", "mar"),
    ("ms", "msa"), ("mt", "mlt"), ("my", "mya"), ("na", "nau"), ("nb", "nob"), ("ne", "nep"), ("nl", "nld"), ("nn", "nno"),
    ("no", "nor"), ("nv", "nav"), ("ny", "nya"), ("oc", "oci"), ("om", "orm"), ("or", "ori"), ("os", "oss"), ("pa", "pan"),
    ("pl", "pol"), ("ps", "pus"), ("pt", "por"), ("qu", "que"), ("rm", "roh"), ("rn", "run"), ("ro", "ron"), ("ru", "rus"),
    ("rw", "kin"), ("sa", "san"), ("sc", "srd"), ("sd", "snd"), ("se", "sme"), ("sg", "sag"), ("si", "sin"), ("sk", "slk"),
    ("sl", "slv"), ("sm", "smo"), ("sn", "sna"), ("so", "som"), ("sq", "sqi"), ("sr", "srp"), ("ss", "ssw"), ("st", "sot"),
    ("su", "sun"), ("sv", "swe"), ("sw", "swa"), ("ta", "tam"), ("te", "tel"), ("tg", "tgk"), ("th", "tha"), ("ti", "tir"),
    ("tk", "tuk"), ("tl", "tgl"), ("tn", "tsn"), ("to", "ton"), ("tr", "tur"), ("ts", "tso"), ("tt", "tat"), ("tw", "twi"),
    ("ty", "tah"), ("ug", "uig"), ("uk", "ukr"), ("ur", "urd"), ("uz", "uzb"), ("ve", "ven"), ("vi", "vie"), ("vo", "vol"),
    ("wa", "wln"), ("wo", "wol"), ("xh", "xho"), ("yi", "yid"), ("yo", "yor"), ("za", "zha"), ("zh", "zho"), ("zu", "zul"),
    ("iw", "heb"), ("in", "ind"), ("ji", "yid"), ("jw", "jav"), ("sh", "hbs"), ("ns", "nso"), ("fil", "tgl"),
];

/// Other names of a language (ISO 639-2/B, English), and members of macrolanguages that models name instead of these.
#[rustfmt::skip]
const MEMBERS: &[(&str, &str)] = &[
    ("dut", "nld"), ("ger", "deu"), ("fre", "fra"), ("gre", "ell"), ("chi", "zho"), ("cze", "ces"), ("per", "fas"), ("rum", "ron"),
    ("slo", "slk"), ("alb", "sqi"), ("arm", "hye"), ("baq", "eus"), ("bur", "mya"), ("geo", "kat"), ("ice", "isl"), ("mac", "mkd"),
    ("mao", "mri"), ("may", "msa"), ("tib", "bod"), ("wel", "cym"), ("dutch", "nld"), ("english", "eng"),
    ("arb", "ara"), ("pes", "fas"), ("zsm", "msa"), ("lvs", "lav"), ("nob", "nor"), ("azj", "aze"), ("uzn", "uzb"), ("swh", "swa"),
    ("als", "sqi"), ("khk", "mon"), ("ory", "ori"), ("npi", "nep"), ("pbt", "pus"), ("quy", "que"), ("plt", "mlg"), ("ydd", "yid"),
    ("kmr", "kur"), ("cmn", "zho"), ("gaz", "orm"), ("ekk", "est"), ("ayr", "aym"), ("fuv", "ful"), ("knc", "kau"),
];

/// Languages without an ISO 639-1 code for which there are bilingual models.
const ONLY_LONG: &[&str] = &["ast", "ceb", "hil", "ilo", "nds", "nso", "pag", "pap", "war", "yap", "lua", "bem", "hbs"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_dutch_agree() {
        let dutch = Code::parse("nl");
        for code in ["nl", "nld", "dut", "dutch", "NL", "nl-BE", "nl_XX", "nld_Latn", "__nl__", ">>nld<<", "<2nl>"] {
            assert!(Code::parse(code).serves(&dutch), "{code}");
            assert_eq!(Language::known(code), Some(Language::Dutch), "{code}");
            assert_eq!(Code::parse(code).short(), "nl", "{code}");
        }
        assert!(!Code::parse("eng").serves(&dutch));
    }

    #[test]
    fn afrikaans_is_not_dutch_but_its_sentences_end_as_those_do() {
        for code in ["af", "afr", "af_ZA"] {
            assert_eq!((Language::known(code), Language::of(code)), (None, Language::Dutch), "{code}");
        }
        assert_eq!((Language::known("pl"), Language::of("pl")), (None, Language::English));
    }

    #[test]
    fn documents_name_a_language_as_browsers_know_it() {
        let tags = ["en", "eng_Latn", "en_XX", "en-GB", "zho_Hant", "pt_BR", "__nl__", "ceb", "no", "nb"];
        let tags = tags.map(|code| Code::parse(code).tag());
        assert_eq!(tags, ["en", "en", "en", "en-GB", "zh-Hant", "pt-BR", "nl", "ceb", "no", "nb"]);
    }

    #[test]
    fn a_script_decides_where_it_is_asked_for() {
        assert!(Code::parse("zho_Hant").serves(&Code::parse("zh")));
        assert!(Code::parse("zho_Hant").serves(&Code::parse("zh-Hant")));
        assert!(!Code::parse("zho_Hant").serves(&Code::parse("zh-Hans")));
        assert!(Code::parse("arb_Arab").serves(&Code::parse("ar")));
    }

    #[test]
    fn groups_are_no_languages() {
        assert!(Code::parse("nl").is_language() && Code::parse("ceb").is_language());
        assert!(!Code::parse("gmw").is_language() && !Code::parse("ROMANCE").is_language());
    }
}

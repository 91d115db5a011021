//! Language codes: the many ways of writing one language, brought to one.
//!
//! Invariant: two codes are the same language exactly if their `Code`s agree. Which languages a model
//! knows belongs to `languages`.

/// A language, and the script where the code names one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Code {
    /// ISO 639-3, a macrolanguage where there is one.
    language: String,
    script: Option<String>,
}

impl Code {
    /// Reads `nl`, `nld`, `dut`, `nl-NL`, `nl_XX`, `nld_Latn`, `__nl__`, `>>nld<<` or `<2nl>`.
    pub(super) fn parse(code: &str) -> Self {
        let mut parts = bare(code).split(['_', '-']);
        let language = canonical(&parts.next().unwrap_or_default().to_lowercase());
        let script = parts.find(|part| part.len() == 4).map(str::to_lowercase);
        Self { language, script }
    }

    /// Whether a model that offers `self` serves someone who asks for `asked`.
    pub(super) fn serves(&self, asked: &Self) -> bool {
        self.language == asked.language
            && (asked.script.is_none() || self.script.is_none() || self.script == asked.script)
    }

    /// Whether this is a language at all, and not a group of them such as `gmw` or `ROMANCE`.
    pub(super) fn is_language(&self) -> bool {
        let known = |list: &[&str]| list.contains(&self.language.as_str());
        PAIRS.iter().any(|&(_, long)| long == self.language) || known(ONLY_LONG)
    }
}

/// The code without what a model puts around it.
pub(super) fn bare(token: &str) -> &str {
    let inner = |start: &str, end: &str| token.strip_prefix(start)?.strip_suffix(end).filter(|inner| !inner.is_empty());
    inner(">>", "<<").or_else(|| inner("__", "__")).or_else(|| inner("<2", ">")).unwrap_or(token)
}

/// The three letters for two, for an older name, or for a member of a macrolanguage.
fn canonical(code: &str) -> String {
    let long = PAIRS.iter().find(|&&(short, _)| short == code).map_or(code, |&(_, long)| long);
    MEMBERS.iter().find(|&&(member, _)| member == long).map_or(long, |&(_, group)| group).to_owned()
}

/// ISO 639-1 and what it is in ISO 639-3; at the end withdrawn and private two-letter codes that models use.
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

/// Other names of a language (ISO 639-2/B), and members of macrolanguages that models name in their place.
#[rustfmt::skip]
const MEMBERS: &[(&str, &str)] = &[
    ("dut", "nld"), ("ger", "deu"), ("fre", "fra"), ("gre", "ell"), ("chi", "zho"), ("cze", "ces"), ("per", "fas"), ("rum", "ron"),
    ("slo", "slk"), ("alb", "sqi"), ("arm", "hye"), ("baq", "eus"), ("bur", "mya"), ("geo", "kat"), ("ice", "isl"), ("mac", "mkd"),
    ("mao", "mri"), ("may", "msa"), ("tib", "bod"), ("wel", "cym"),
    ("arb", "ara"), ("pes", "fas"), ("zsm", "msa"), ("lvs", "lav"), ("nob", "nor"), ("azj", "aze"), ("uzn", "uzb"), ("swh", "swa"),
    ("als", "sqi"), ("khk", "mon"), ("ory", "ori"), ("npi", "nep"), ("pbt", "pus"), ("quy", "que"), ("plt", "mlg"), ("ydd", "yid"),
    ("kmr", "kur"), ("cmn", "zho"), ("gaz", "orm"), ("ekk", "est"), ("ayr", "aym"), ("fuv", "ful"), ("knc", "kau"),
];

/// Languages with three letters only that bilingual models are made for.
const ONLY_LONG: &[&str] = &["ast", "ceb", "hil", "ilo", "nds", "nso", "pag", "pap", "war", "yap", "lua", "bem", "hbs"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_dutch_agree() {
        let dutch = Code::parse("nl");
        for code in ["nld", "dut", "NL", "nl-BE", "nl_XX", "nld_Latn", "__nl__", ">>nld<<", "<2nl>"] {
            assert!(Code::parse(code).serves(&dutch), "{code}");
        }
        assert!(!Code::parse("eng").serves(&dutch));
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

//! Word lists of the sentence splitter: abbreviations, and words that sentences start with.
//!
//! Abbreviations are in lower case and without their last full stop.

/// Dutch abbreviations that always have something after them: no sentence ends with one.
#[rustfmt::skip]
pub(super) const DUTCH_BEFORE: &[&str] = &[
    "dhr", "mw", "mevr", "mej", "prof", "dr", "drs", "ir", "ing", "mr", "mrs", "ms", "ds", "st", "gen", "gov",
    "sen", "rep", "kol", "lt", "lkol", "ltkol", "maj", "kapt", "sgt", "adm", "pres", "min-pres", "zr", "mgr",
    "kard", "bc", "lic", "dhrn", "hr", "jhr", "jkvr", "fam", "h", "bijv", "bv", "d.w.z", "dwz", "o.a", "oa", "o.m",
    "m.n", "m.b.t", "mbt", "t.a.v", "tav", "t.o.v", "tov", "i.v.m", "ivm", "i.p.v", "ipv", "i.t.t", "itt", "i.s.m",
    "ism", "i.h.k.v", "i.h.b", "i.c", "n.a.v", "nav", "n.a.l.v", "a.d.h.v", "d.m.v", "dmv", "m.u.v", "m.i.v",
    "m.m.v", "o.l.v", "olv", "o.b.v", "obv", "o.g.v", "t.b.v", "tbv", "t.g.v", "t.n.v", "t.w", "t.t.v", "t.m",
    "v.a", "v.d", "v.h", "w.o", "w.v", "c.q", "cq", "q.q", "resp", "vgl", "zgn", "z.g", "zg", "evt", "incl", "excl",
    "ca", "ong", "gem", "geb", "vs", "versus", "cf", "afb", "hfst", "nr", "nrs", "blz", "p", "pag", "pp", "bd",
    "jrg", "vnl", "alg", "div", "voorz", "secr", "nl", "eig", "oorspr", "abs", "p.s", "n.b", "nb", "a.h.w", "h.k",
    "m.a.w", "m.i", "mi", "n.m.m", "i.e", "e.g", "z.i", "v.w.b", "betr", "i.o", "i.o.v", "o.v.v", "b.g.g", "c.p",
    "p.a", "z.h", "e.m", "z.k.h", "h.k.h", "h.m", "z.m", "th", "ch", "chr", "joh", "jac", "ph", "wm", "fr", "corn",
    "alb", "ij",
];

/// Dutch abbreviations that a sentence may end with; the next word decides whether it does.
#[rustfmt::skip]
pub(super) const DUTCH_EITHER: &[&str] = &[
    "e.a", "e.d", "ed", "e.e.a", "e.v", "ev", "c.s", "o.i.d", "oid", "a.s", "jl", "l.l", "z.s.m", "zsm", "z.o.z",
    "zoz", "v.chr", "n.chr", "b.v", "n.v", "v.o.f", "vof", "m.m", "p.m", "a.m", "p.j", "p.p", "p.st", "p.u", "k.k",
    "v.v", "v.m", "n.m", "max", "min", "mln", "mld", "mio", "km", "cm", "mm", "kg", "gr", "ha", "m", "g", "l",
    "w.w", "s", "k", "fl", "hfl", "ex", "jan", "feb", "febr", "mrt", "apr", "jun", "jul", "aug", "sept", "sep",
    "okt", "nov", "dec", "ln", "pl", "wg", "t.z.t", "tzt", "o.o", "i.b", "n.v.t", "nvt", "n.t.b", "ntb", "t.k",
    "jr", "sr", "inc", "ltd", "co", "corp", "u.s", "v.s", "u.k", "e.u", "v.n", "d.c", "u.s.a", "v.s.a",
];

/// Dutch abbreviations of enumerations: if a capital follows, a sentence has ended.
#[rustfmt::skip]
pub(super) const DUTCH_AFTER: &[&str] = &[
    "enz", "etc", "enzv", "a.u.b", "aub", "s.v.p", "svp",
];

/// English titles and connectives: no sentence ends with one.
#[rustfmt::skip]
pub(super) const ENGLISH_BEFORE: &[&str] = &[
    "mr", "mrs", "ms", "dr", "prof", "st", "gen", "gov", "sen", "rep", "col", "lt", "sgt", "capt", "maj", "cmdr",
    "adm", "rev", "hon", "gov", "sen", "rep", "pres", "messrs", "mx", "e.g", "eg", "i.e", "ie", "vs", "v", "cf",
    "approx", "ca", "est", "dept", "viz", "incl", "excl", "figs", "p", "pp", "nos", "eds", "trans", "mt", "ft",
    "th", "ch", "wm", "geo", "chas", "resp",
];

/// English abbreviations that a sentence may end with; the next word decides whether it does.
#[rustfmt::skip]
pub(super) const ENGLISH_EITHER: &[&str] = &[
    "inc", "ltd", "co", "corp", "bros", "jr", "sr", "a.m", "p.m", "u.s", "u.k", "u.n", "e.u", "d.c", "u.s.a",
    "ph.d", "b.a", "m.a", "b.sc", "m.sc", "m.d", "esq", "ave", "blvd", "rd", "hwy", "al", "jan", "feb", "apr",
    "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "mon", "tue", "tues", "thu", "thur", "thurs", "fri",
    "km", "cm", "mm", "kg", "lb", "lbs", "oz", "hr", "hrs", "min", "b.c", "a.d", "b.c.e", "c.e", "p.s", "max", "sq",
    "cu",
];

/// English abbreviations of enumerations: if a capital follows, a sentence has ended.
#[rustfmt::skip]
pub(super) const ENGLISH_AFTER: &[&str] = &[
    "etc",
];

/// Words that are abbreviations only before a number, such as `no. 12`.
#[rustfmt::skip]
pub(super) const BEFORE_NUMBER: &[&str] = &[
    "no", "art", "lid", "par", "sec", "tab", "dl", "vol", "fig", "tel", "ver", "str", "ma", "di", "wo", "vr", "za",
    "zo", "mar", "wed", "sat", "sun",
];

/// Words that Dutch sentences start with, but names do not.
#[rustfmt::skip]
pub(super) const DUTCH_STARTS: &[&str] = &[
    "de", "het", "een", "dit", "dat", "deze", "die", "er", "hij", "zij", "ze", "ik", "je", "jij", "u", "we", "wij",
    "jullie", "men", "iemand", "niemand", "iedereen", "alles", "niets", "alle", "allen", "elk", "elke", "ieder",
    "iedere", "geen", "veel", "vele", "enkele", "sommige", "andere", "beide", "zijn", "haar", "hun", "mijn", "onze",
    "ons", "uw", "en", "maar", "of", "want", "dus", "toch", "ook", "nog", "al", "als", "dan", "toen", "nu", "daar",
    "hier", "daarna", "daarom", "daarmee", "daarbij", "daardoor", "daarnaast", "daarvoor", "daarop", "eerst",
    "later", "vervolgens", "intussen", "inmiddels", "ondertussen", "bovendien", "echter", "wel", "niet", "om",
    "omdat", "doordat", "zodat", "hoewel", "terwijl", "nadat", "voordat", "sinds", "sindsdien", "tijdens",
    "volgens", "vanaf", "vanuit", "vandaag", "gisteren", "morgen", "vanavond", "vanmorgen", "vanmiddag", "vannacht",
    "maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag", "in", "op", "bij", "met",
    "voor", "na", "uit", "over", "onder", "door", "tegen", "tot", "naar", "aan", "zonder", "dankzij", "wegens",
    "vanwege", "ondanks", "binnen", "buiten", "tussen", "rond", "wie", "wat", "waar", "waarom", "wanneer", "hoe",
    "welke", "welk", "hoeveel", "zo", "zoals", "zelfs", "zeker", "misschien", "mogelijk", "volgend", "vorig",
    "vorige", "volgende", "meer", "minder", "slechts", "bijna", "ongeveer", "eerder", "zelf", "ja", "nee", "kortom",
    "helaas", "gelukkig", "uiteindelijk", "ten", "te", "is", "was", "waren", "heeft", "had", "hebben", "kan",
    "kunnen", "moet", "moeten", "wil", "wordt", "werd", "worden", "zal", "zou",
];

/// Words that English sentences start with, but names do not.
#[rustfmt::skip]
pub(super) const ENGLISH_STARTS: &[&str] = &[
    "the", "a", "an", "this", "that", "these", "those", "there", "he", "she", "it", "i", "you", "we", "they", "one",
    "nobody", "everyone", "everybody", "someone", "nothing", "all", "each", "every", "no", "many", "some", "other",
    "both", "his", "her", "its", "their", "my", "our", "your", "and", "but", "or", "so", "yet", "also", "then",
    "now", "here", "after", "before", "when", "while", "since", "because", "although", "though", "if", "as", "at",
    "in", "on", "by", "with", "for", "from", "of", "to", "over", "under", "between", "during", "according",
    "within", "without", "despite", "until", "who", "what", "where", "why", "which", "how", "more", "less", "only",
    "almost", "later", "earlier", "first", "last", "next", "meanwhile", "however", "moreover", "therefore", "today",
    "yesterday", "tomorrow", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "not",
    "yes", "is", "was", "were", "has", "had", "have", "can", "could", "will", "would", "should", "must", "do",
    "does", "did", "its", "perhaps", "maybe", "even", "still", "once", "such", "whether", "another",
];

/// Words that are part of a surname if a capital follows: `A. De Boer`.
#[rustfmt::skip]
pub(super) const NAME_WORDS: &[&str] = &[
    "de", "den", "der", "van", "ten", "ter", "te", "in", "op", "het", "uit", "aan", "la", "le", "du",
];

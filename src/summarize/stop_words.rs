//! Word lists of extractive summaries, in lower case: words that do not tell what an article is about, and words that
//! refer back.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::segment::Language;

/// Whether a word is too common to distinguish sentences.
pub(crate) fn is_stop_word(word: &str, language: Language) -> bool {
    static DUTCH: LazyLock<HashSet<&str>> = LazyLock::new(|| DUTCH_WORDS.split_whitespace().collect());
    static ENGLISH: LazyLock<HashSet<&str>> = LazyLock::new(|| ENGLISH_WORDS.split_whitespace().collect());
    let words = match language {
        Language::Dutch => &DUTCH,
        Language::English => &ENGLISH,
    };
    word.chars().count() == 1 && !word.starts_with(char::is_numeric) || words.contains(word)
}

/// Whether a sentence that starts with this word refers to the one before it.
pub(crate) fn points_back(word: &str, language: Language) -> bool {
    let list = match language {
        Language::Dutch => DUTCH_POINTERS,
        Language::English => ENGLISH_POINTERS,
    };
    list.split_whitespace().any(|pointer| pointer == word)
}

const DUTCH_WORDS: &str = "
    aan aangezien achter af afgelopen al aldus alle alleen alles als altijd ander andere anderen anders bent ben beide
    bij bijna bijvoorbeeld binnen boven buiten daar daarbij daardoor daarin daarmee daarna daarnaast daarom daarop
    daarvan daarvoor dan dat de deed den der deze die dient dit doch doen doet door dus echter een eens eerst eerste elk
    elke en enige enkele er erg erop eruit ervan even evenals flink gaan gaat gedaan geen geven geweest geworden gezegd
    ging goed graag haar had hadden hebben hebt heb heeft heel heen hem hen het hier hierbij hierdoor hij hoe hoewel hun
    ieder iedere iedereen iemand iets ik in inmiddels is ja jaar je jij jou jouw jullie kan kon konden krijgen krijgt kunnen
    kwam komen komt laat laatste laten later liet maar maken maakt meer mee men met mij mijn minder misschien moest moesten
    moet moeten mogelijk mogen mocht na naar naast nadat nee net niemand niet niets nieuwe nog nogal nooit nou nu of
    om omdat onder ondanks ons onze ook op opnieuw over per precies rond samen sinds sommige soms steeds staan staat
    te tegen ten ter terug terwijl tijdens toch toe toen tot totdat tussen twee drie uit u uw vaak van vanaf vanuit vanwege
    veel vele ver verder via vind vindt volgens voor vooral voordat vorig vorige waar waarbij waardoor waarin waarom was
    waren wat we wel welke wanneer weer weg weinig werd werden wie wij wil willen wilde worden wordt zal ze zeer zeggen
    zegt zei zelf zelfs zeker zich zij zijn zo zoals zodat zonder zou zouden zullen maandag dinsdag
    woensdag donderdag vrijdag zaterdag zondag
";

const DUTCH_POINTERS: &str = "
    aldus bovendien daar daarbij daardoor daarin daarmee daarna daarnaast daarom daarop daarvan daarvoor dan dat deze die
    dit dus echter en er haar hem hen hier hierbij hierdoor hij hoewel hun inmiddels intussen maar ook ondertussen of
    omdat toch toen vervolgens want wel ze zij zijn zo zulke ik we wij
";

const ENGLISH_WORDS: &str = "
    a about above according across after again against ago all almost alone along already also although always am among an and another any anyone
    anything are around as asked at away back be became because become been before began behind being below between both but by
    came can cannot could did do does doing done down during each either else enough even ever every everyone far few
    first for former from further gave get gets getting give given go goes going gone good got had has have having he her
    here hers herself him himself his how however if in instead into is it its itself just keep know last later least less let like made
    make makes many may maybe me might mine more most much must my near nearly never new next no nobody none nor not
    nothing now of off often on once one only onto or other others our out over own per perhaps put quite rather really
    said same saw say says see seem seemed several shall she should since so some someone something soon still such take
    taken takes than that the their them then there therefore these they thing things this those though three through
    time to today together told too took towards two under until up upon us use used very via want was way we well went were
    what when where whether which while who whole whom whose why will with within without would year years yet
    you your monday tuesday wednesday thursday friday saturday sunday
";

const ENGLISH_POINTERS: &str = "
    afterwards also and because besides but furthermore he her here him his however i instead it its meanwhile moreover nevertheless nor
    or she so such that their them then therefore these they this those though thus we yet
";

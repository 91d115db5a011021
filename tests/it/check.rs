//! Flags: what is in order must carry none, what is damaged must carry the right one and say why.

use kortom::check::{Checks, Finding, Flag, FlagCount, unsupported};

fn found(source: &str, target: &str) -> Vec<Finding> {
    Checks::of("nl", "en").findings(source, target)
}

#[track_caller]
fn good(pairs: &[(&str, &str)]) {
    for (source, target) in pairs {
        assert_eq!(found(source, target), [], "{source}\n{target}");
        let back = Checks::of("en", "nl").findings(target, source);
        assert_eq!(back, [], "{target}\n{source}");
    }
}

/// Every pair has this flag and no other, and says this.
#[track_caller]
fn bad(flag: Flag, pairs: &[(&str, &str, &str)]) {
    for (source, target, reason) in pairs {
        let findings = found(source, target);
        assert!(findings.iter().all(|finding| finding.flag == flag), "{target}\n{findings:?}");
        assert!(findings.iter().any(|finding| finding.reason == *reason), "{target}\n{findings:?}");
    }
}

#[test]
fn numbers_may_be_written_the_other_way() {
    good(&[
        ("Er waren 30.000 bezoekers.", "There were 30,000 visitors."),
        ("Het wordt -7 graden.", "It will be minus 7 degrees."),
        ("Het wordt -7 graden.", "It will be -7 degrees."),
        ("Het wordt min 7 graden.", "It will be -7 degrees."),
        ("Het vriest 7 graden.", "It is 7 degrees below zero."),
        ("Het kost 5-7 euro.", "It costs 5 to 7 euros."),
        ("Er waren 30.000 bezoekers.", "There were 30 thousand visitors."),
        ("Er waren dertigduizend bezoekers.", "There were 30,000 visitors."),
        ("De inflatie was 12,5 procent.", "Inflation was 12.5%."),
        ("De inflatie was 5%.", "Inflation was five per cent."),
        ("Het kost 1.250,50 euro.", "It costs €1,250.50."),
        ("Het kost € 2,5 miljoen.", "It costs 2.5 million euros."),
        ("Het kost 2,5 miljoen euro.", "It costs 2,500,000 euros."),
        ("De schuld is drie miljard dollar.", "The debt is three billion dollars."),
        ("De schuld is 3 biljoen.", "The debt is 3 trillion."),
        ("Het duurt anderhalf miljoen jaar.", "It takes one and a half million years."),
        ("Het is een half miljoen waard.", "It is worth half a million."),
        ("Zij wonnen van zes ploegen.", "They beat 6 teams."),
        ("Er stonden vijfentwintig bomen.", "There were twenty-five trees."),
        ("Er stonden honderdtwintig bomen.", "There were one hundred and twenty trees."),
        ("Er stonden vijftienhonderd bomen.", "There were 1,500 trees."),
        ("Twee tot drie miljoen mensen keken.", "Two million to three million people watched."),
        ("Het gaat om 5 à 10 miljoen euro.", "It concerns 5 million to 10 million euros."),
        ("Beide broers zijn ziek.", "The two brothers are ill."),
        ("Hij kocht een dozijn eieren.", "He bought twelve eggs."),
        ("Het is de eerste keer.", "It is the first time."),
        ("De 19e eeuw was lang.", "The nineteenth century was long."),
        ("De muziek van de jaren zestig.", "The music of the 1960s."),
        ("De muziek van de jaren 60.", "The music of the sixties."),
        ("Het seizoen 1995-1996 was goed.", "The 1995-96 season was good."),
        ("Lodewijk XIV was koning.", "Louis XIV was king."),
        ("De Tweede Wereldoorlog duurde zes jaar.", "World War II lasted six years."),
        ("Versie 8.1 van het programma is af.", "Version 8.1 of the program is done."),
        ("Het is 5 kilometer lopen.", "It is a walk of five kilometres."),
        ("De zesdaagse reis begint.", "The six-day journey begins."),
        ("Het dorp ligt op 2\u{a0}500 meter.", "The village lies at 2,500 metres."),
        ("Zij werd op twee na de beste.", "She finished third best."),
        ("Het perceel is 40 vierkante meter.", "The plot is 40 square metres."),
        ("COVID-19 kwam in 2020.", "COVID-19 came in 2020."),
        ("Zij wonnen met 2-1.", "They won 2-1."),
    ]);
}

#[test]
fn numbers_lost_or_changed_are_flagged() {
    bad(
        Flag::Number,
        &[
            ("Het koelt af tot -7 graden.", "It will cool to 7 degrees.", "`-7` lost its minus sign"),
            ("Het wordt 7 graden.", "It will be -7 degrees.", "`-7` has a minus sign that is not in the source"),
            ("Er waren 30.000 bezoekers.", "There were 30.000 visitors.", "`30.000` means something else in English"),
            ("Er waren 30.000 bezoekers.", "There were visitors.", "`30.000` is missing"),
            ("Er waren 30.000 bezoekers.", "There were 3,000 visitors.", "`3,000` is not in the source"),
            ("De inflatie was 12,5 procent.", "Inflation was 125 percent.", "`12,5 procent` is missing"),
            ("De inflatie was 12,5 procent.", "Inflation was 12,5 percent.", "`12,5` means something else in English"),
            ("De inflatie was 5 procent.", "Inflation was 5.", "`5 procent` lost its unit"),
            ("Het kost 30 euro.", "It costs 30 dollars.", "`30 euro` became `30 dollars`"),
            ("De schuld is drie miljard.", "The debt is three million.", "`drie miljard` is missing"),
            ("De schuld is 3 biljoen.", "The debt is 3 billion.", "`3 billion` is not in the source"),
            ("Het is 5 kilometer lopen.", "It is a walk of 5 miles.", "`5 kilometer` became `5 miles`"),
            ("Het duurt drie weken.", "It takes three months.", "`drie weken` became `three months`"),
            ("Zij wonnen van zes ploegen.", "They beat seven teams.", "`seven` is not in the source"),
            ("Er stonden vijfentwintig bomen.", "There were fifty-two trees.", "`vijfentwintig` is missing"),
            ("Dat was in 1945.", "That was in 1954.", "`1945` is missing"),
            ("Zij wonnen met 2-1.", "They won 3-1.", "`3` is not in the source"),
        ],
    );
}

#[test]
fn dates_and_times_may_be_written_the_other_way() {
    good(&[
        ("Op 5 oktober 2020 regende het.", "On October 5, 2020, it rained."),
        ("Op 5 oktober 2020 regende het.", "On 5th October 2020 it rained."),
        ("Op 05-10-2020 regende het.", "On October 5, 2020 it rained."),
        ("Op 5 oktober 2020 regende het.", "On 2020-10-05 it rained."),
        ("Op 5 okt. 2020 regende het.", "On Oct. 5, 2020 it rained."),
        ("In maart en mei is het druk.", "It is busy in March and May."),
        ("Maandagavond komt zij.", "She comes on Monday evening."),
        ("De winkel is op zondag dicht.", "The shop is closed on Sundays."),
        ("Het begint om 12.00 uur.", "It starts at 12:00."),
        ("Het begint om 12.00 uur.", "It starts at noon."),
        ("Het begint om 12.00 uur.", "It starts at 12 noon."),
        ("Het begint om 15.30 uur.", "It starts at 3:30 p.m."),
        ("Het begint om 15.30 uur.", "It starts at 15:30."),
        ("Het begint om 15u30.", "It starts at 3.30 pm."),
        ("Het begint om 15 uur.", "It starts at 3 p.m."),
        ("Het begint om 9 uur.", "It starts at nine o'clock."),
        ("Het begint om half vier.", "It starts at half past three."),
        ("Het begint om half vier.", "It starts at 3:30."),
        ("Het begint om kwart voor negen.", "It starts at a quarter to nine."),
        ("Het begint om 20.00 uur.", "It starts at 8 p.m."),
        ("Het begint om middernacht.", "It starts at 12 midnight."),
        ("Zij mag het doen.", "She may do it."),
        ("Keizer Augustus was oud.", "Emperor Augustus was old."),
    ]);
}

#[test]
fn dates_and_times_lost_or_changed_are_flagged() {
    bad(
        Flag::Date,
        &[
            ("Op 5 oktober 2020 regende het.", "On November 5, 2020, it rained.", "`oktober` is missing"),
            ("Op 5 oktober 2020 regende het.", "On October 6, 2020, it rained.", "`5` is missing"),
            ("Op 5 oktober 2020 regende het.", "On October 5, 2002, it rained.", "`2020` is missing"),
            ("Op 05-10-2020 regende het.", "On June 5, 2020 it rained.", "`June` is not in the source"),
            ("Zij is op 12-05-1987 geboren.", "She was born on 12-06-1987.", "`12-05-1987` is missing"),
            ("Dat was op 2020-10-05.", "That was on 2020-05-10.", "`2020-10-05` is missing"),
            ("Op 1.2.2020 kwam hij.", "He came on 1.3.2020.", "`1.2.2020` is missing"),
            ("In maart is het druk.", "It is busy.", "`maart` is missing"),
            ("Maandagavond komt zij.", "She comes on Tuesday evening.", "`Tuesday` is not in the source"),
            ("Zij komt morgen.", "She comes on Friday.", "`Friday` is not in the source"),
            ("Het begint om 15.30 uur.", "It starts at 3:30 a.m.", "`15.30 uur` is missing"),
            ("Het begint om 15.30 uur.", "It starts at 15:20.", "`15:20` is not in the source"),
            ("Het begint om half vier.", "It starts at half past four.", "`half vier` is missing"),
            ("Het begint om 12.00 uur.", "It starts then.", "`12.00 uur` is missing"),
        ],
    );
}

#[test]
fn names_may_be_spelled_the_other_way() {
    good(&[
        ("Zij reisde van Den Haag naar Parijs.", "She travelled from The Hague to Paris."),
        ("Volgens Poetin steunt Rusland de Oekraïne.", "According to Putin, Russia supports Ukraine."),
        ("De Duitse en de Nederlandse premier spraken.", "The German and the Dutch prime ministers spoke."),
        ("Dat zegt de VN in New York.", "That is what the UN says in New York."),
        ("De VS en het VK tekenden.", "The US and the UK signed."),
        ("Volgens de OESO stijgt de btw.", "According to the OECD, VAT is rising."),
        ("Gisteren sprak mevrouw De Vries.", "Mrs De Vries spoke yesterday."),
        ("De fiets van Anna is weg.", "Anna's bicycle is gone."),
        ("Zij leest Shakespeares sonnetten.", "She reads Shakespeare's sonnets."),
        ("In Azerbeidzjan wonen ook Armeniërs.", "Armenians live in Azerbaijan as well."),
        ("Hij kent Barça en Curaçao.", "He knows Barca and Curacao."),
        ("Dat besloot het Hooggerechtshof.", "The Supreme Court decided that."),
        ("EU-landen praten met de NAVO.", "EU countries talk to NATO."),
        ("Ik denk dat het op zondag kan.", "I think it can be done on Sunday."),
    ]);
}

#[test]
fn names_lost_changed_or_invented_are_flagged() {
    bad(
        Flag::Name,
        &[
            ("Gisteren sprak Wouter Jansen.", "Wouter Peterson spoke yesterday.", "`Jansen` is missing"),
            ("Gisteren sprak Wouter Jansen.", "Wouter Peterson spoke yesterday.", "`Peterson` is not in the source"),
            ("De trein naar Zwolle is vol.", "The train to it is full.", "`Zwolle` is missing"),
            ("De trein naar Zwolle is vol.", "The train to Groningen is full.", "`Groningen` is not in the source"),
            (
                "De burgemeester sprak lang.",
                "The mayor, Hendricks, spoke at length.",
                "`Hendricks` is not in the source",
            ),
            ("Zij spraken met de NAVO.", "They spoke with the allies there.", "`NAVO` is missing"),
            ("Zij kwam uit Duitsland.", "She came from France.", "`Duitsland` is missing"),
            ("De VVD wint.", "The PvdA wins.", "`VVD` is missing"),
            ("De VVD wint.", "The PvdA wins.", "`PvdA` is not in the source"),
            ("Zij vliegt met KLM.", "She flies with KPN.", "`KPN` is not in the source"),
        ],
    );
}

#[test]
fn quotations_stay_and_are_closed() {
    good(&[
        ("‘Het is mooi’, zei zij ’s avonds.", "“It is beautiful,” she said in the evening."),
        (",,Het is mooi'', zei zij.", "'It is beautiful,' she said."),
        ("„Het is mooi, zei zij.", "“It is beautiful, she said."),
        ("De spelers zijn moe.", "The players' legs are tired."),
    ]);
    bad(
        Flag::Quote,
        &[
            ("‘Het is mooi’, zei zij.", "“It is beautiful, she said.", "a quotation is opened and not closed"),
            ("‘Het is mooi’, zei zij.", "'It is beautiful, she said.", "a quotation is opened and not closed"),
            ("‘Het is mooi’, zei zij.", "It is beautiful,” she said.", "a quotation is closed and not opened"),
            ("‘Het is mooi’, zei zij.", "It is beautiful, she said.", "the quotation marks are lost"),
        ],
    );
}

#[test]
fn lengths_are_looked_at() {
    let source = "De gemeente wil een nieuwe brug bouwen, omdat de oude te smal is geworden voor al het verkeer.";
    good(&[(source, "The council wants to build a new bridge because the old one is too narrow for all the traffic.")]);
    let short = "36 characters where about 83 are to be expected: something may have been dropped";
    let long = "The council wants to build a new bridge because the old one is too narrow for all the traffic, which \
                is something that many people had been asking for.";
    bad(Flag::Length, &[(source, "The council wants to build a bridge.", short)]);
    assert!(found(source, long)[0].reason.ends_with("something may have been added"));
}

#[test]
fn loops_and_copies_are_flagged_in_any_language() {
    let source = "De gemeente wil hier een brug bouwen.";
    bad(Flag::Repetition, &[(source, "The city wants wants to build a bridge.", "`wants` stands there 2 times")]);
    bad(Flag::Untranslated, &[(source, source, "`De gemeente wil hier een brug …` is not translated")]);
    bad(
        Flag::Untranslated,
        &[(
            "Zij zegt dat de gemeente hier een brug bouwt.",
            "She says the city plans that de gemeente hier een brug.",
            "`de gemeente hier een brug` is not translated",
        )],
    );
    bad(Flag::Untranslated, &[("niet duur", "niet duur", "`niet duur` is not translated")]);
    for name in ["Vincent van der Meer", "Alphen aan den Rijn", "aan de Amstel", "pizza margherita", "een"] {
        assert_eq!(found(name, name), [], "{name}");
    }
    let flags = |target: &str| -> Vec<Flag> {
        Checks::of("de", "fr")
            .findings("wir bauen hier eine Brücke", target)
            .iter()
            .map(|finding| finding.flag)
            .collect()
    };
    assert_eq!(flags("wir bauen hier eine Brücke"), [Flag::Untranslated]);
    assert_eq!(flags("un pont un pont un pont un pont"), [Flag::Repetition]);
    assert_eq!(flags("nous construisons un pont ici"), []);
}

#[test]
fn other_languages_are_left_alone() {
    for (from, to) in [("nl", "fr"), ("de", "en"), ("nl", "nl")] {
        assert_eq!(Checks::of(from, to).findings("Er waren 30.000 mensen.", "Nothing of the sort."), [], "{from} {to}");
    }
    assert_ne!(Checks::of("nld_Latn", "eng_Latn").findings("Er waren 30.000 mensen.", "Nothing of the sort."), []);
}

#[test]
fn numbers_of_a_summary_must_be_in_the_article() {
    let article = "The bridge cost 2.5 million euros and opened on 5 October 2020. Twelve people watched.";
    assert_eq!(unsupported("It cost 2.5 million. 12 people came in October.", article, "en"), []);
    let names = unsupported("Then Mayor Hendricks of Utrecht spoke.", "The mayor of Utrecht, Hendriks, spoke.", "en");
    assert_eq!(names, [Finding::new(Flag::UnsupportedName, "`Hendricks` is not in the article".to_owned())]);
    let found = unsupported("It cost 3.5 million. Thirteen people came.", article, "en");
    let reasons: Vec<&str> = found.iter().map(|finding| finding.reason.as_str()).collect();
    assert_eq!(reasons, ["`3.5 million` is not in the article", "`Thirteen` is not in the article"]);
    assert!(found.iter().all(|finding| finding.flag == Flag::UnsupportedNumber));
}

#[test]
fn counts_add_up_and_read_well() {
    let mut count = FlagCount::default();
    count.segment(&[]);
    count.segment(&[Flag::Name, Flag::Number]);
    let mut other = FlagCount::default();
    other.segment(&[Flag::Number]);
    other.summary(&[]);
    count.add(&other);
    assert_eq!(count.to_string(), "2 of 3 segments flagged: 2 number, 1 name");
    count.summary(&[Flag::UnsupportedName]);
    assert_eq!(count.to_string(), "2 of 3 segments and 1 summary flagged: 2 number, 1 name, 1 unsupported-name");
}

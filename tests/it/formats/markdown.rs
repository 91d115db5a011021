//! Markdown.

use kortom::document::{Document, Format};

use super::{Backwards, Capitals, only_words_change, sources, translate};

const MARKDOWN: &str = r#"---
title: Brug open
tags: [brug]
---

# De brug is *open*

De nieuwe **fietsbrug** over het [kanaal bij Wierdum](https://voorbeeld.nl "Titel") kost € 3,50. Gebruik `ls -l` om
te kijken, of typ `exit`.

> Een citaat dat
> over **twee
> regels** loopt.

- Een punt
- [ ] Een taak met ~~geen~~ doel
  1. Een *sub*punt

| Naam | Waarde |
|------|:------:|
| Jan | twee \| drie |

```sh
echo "niet vertalen"
```

<div class="x">blok</div>

Tekst met een noot[^1], een ![foto](a.png) en <https://voorbeeld.nl>. Nog <b>vet</b>.
Regel met harde breuk  
en verder. 3 \* 4 &amp; meer.

[^1]: De noot zelf.
"#;

#[test]
fn markdown_keeps_its_structure() {
    let translation = translate(&Capitals, MARKDOWN, Format::Markdown);
    let expected = r#"---
title: Brug open
tags: [brug]
---

# DE BRUG IS *OPEN*

DE NIEUWE **FIETSBRUG** OVER HET [KANAAL BIJ WIERDUM](https://voorbeeld.nl "Titel") KOST € 3,50. GEBRUIK `ls -l` OM TE KIJKEN, OF TYP `exit`.

> EEN CITAAT DAT OVER **TWEE REGELS** LOOPT.

- EEN PUNT
- [ ] EEN TAAK MET ~~GEEN~~ DOEL
  1. EEN *SUBPUNT*

| NAAM | WAARDE |
|------|:------:|
| JAN | TWEE \| DRIE |

```sh
echo "niet vertalen"
```

<div class="x">BLOK</div>

TEKST MET EEN NOOT[^1], EEN ![foto](a.png) EN <https://voorbeeld.nl>. NOG <b>VET</b>. REGEL MET HARDE BREUK  
EN VERDER. 3 \* 4 & MEER.

[^1]: DE NOOT ZELF.
"#;
    assert_eq!(translation.document.text(), expected);
    assert_eq!(translation.document.title(), Some("DE BRUG IS OPEN"));
    let sources = sources(&translation);
    assert!(
        sources.iter().all(|source| !source.contains(['*', '`', '[', '<', '~', '#']) || *source == "3 * 4 & meer.")
    );
    assert_eq!(
        sources[1..3],
        ["De nieuwe fietsbrug over het kanaal bij Wierdum kost € 3,50.", "Gebruik om te kijken, of typ."]
    );
}

#[test]
fn markup_can_be_left_out() {
    let bare = Document::parse("-", "# Kop\n\nEen *zin*.\n\n- een\n- twee\n", Format::Markdown).without_markup();
    assert_eq!(bare.text(), "Kop\n\nEen zin.\n\neen\ntwee\n");
    assert_eq!(Document::parse("-", "", Format::Markdown).without_markup().text(), "");
}

#[test]
fn markup_goes_to_the_same_words_if_they_are_there() {
    let translation =
        translate(&Backwards, "De **fietsbrug** bij [Wierdum](w) is [nu **echt** open](o).", Format::Markdown);
    assert_eq!(translation.document.text(), "open. [**echt** nu is](o) [Wierdum](w) bij **fietsbrug** De");
}

/// Everything in which a writer of Markdown could be lost.
const NASTY: [&str; 14] = [
    "- een\n  - twee\n    1. drie\n       - vier\n\n         Alinea in vier.\n- [x] gedaan\n* * *\n+ plus\n",
    "1) een\n2) twee\n\n   ```rust\n   let x = 1; // niets\n   ```\n\n3) drie",
    "| a | b \\| c | `x\\|y` |\r\n|:--|:-:|--:|\r\n| een | | **drie** |\r\n|   |twee|[vier](x)|\r\n",
    "\u{feff}---\r\ntitel: \"Niet *vertalen*\"\r\nlijst:\r\n  - a\r\n---\r\n\r\n# Kop #\r\n\r\nTekst zonder eind",
    "+++\ntitel = 'x'\n+++\n\nTekst\n=====\n\nMeer\n---\n\nEinde",
    "<!-- niet **vertalen** -->\n\n<details open>\n<summary>Blok <b>een</b></summary>\n\nWel vertalen.\n\n</details>\n",
    "<?php echo 'niets'; ?>\n\n<![CDATA[ niets ]]>\n\n<!DOCTYPE html>\n\n<script>\nlet a = 1;\n</script>\n\nWel.\n",
    "Zie [de kaart][k], [k] en [deze](<a b.html> 'Titel (x)').\n\n[k]: <https://x.nl/a b> \"Een *titel*\"\n",
    "![alt *tekst*](a.png \"titel\") Een foto. ![][k]\n\n[![knop](b.svg)](https://c.nl)\n\n[k]: c.png\n",
    "Een noot[^1] en nog een[^lang].\n\n[^1]: Kort.\n\n[^lang]: Eerste alinea.\n\n    Tweede alinea.\n\n        code\n",
    "\tcode met tab\n\n    code met spaties\n\n> citaat\n>\n> > dieper\n> > - punt\n",
    "Een *woord* en ***alles*** en **_beide_** en ~~weg~~ en `` a ` b `` en <b>vet</b><br/>Nieuw.\n",
    "Regel een\\\nRegel twee  \nRegel drie\n",
    "~~~~ markdown\n```\n**niets**\n```\n~~~~\n\n## Kop met `code` en [link](#a) ##\n\n```\nnooit gesloten\n",
];

#[test]
fn whatever_markdown_holds_comes_back_as_it_was() {
    only_words_change(&NASTY, Format::Markdown, &['*', '`', '[', '<', '~', '#', '\n', '\t']);
}

#[test]
fn code_and_comments_are_not_for_the_model() {
    let asked: Vec<String> = NASTY
        .iter()
        .flat_map(|text| {
            sources(&translate(&Capitals, text, Format::Markdown)).into_iter().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    for kept in ["niets", "niet ", "vertalen**", "code", "echo", "titel", "x.nl", "alt"] {
        assert!(asked.iter().all(|source| !source.contains(kept)), "{kept}: {asked:?}");
    }
    for wanted in ["Alinea in vier.", "drie", "vier", "Wel vertalen.", "Tweede alinea.", "dieper", "Tekst zonder eind"]
    {
        assert!(asked.iter().any(|source| source == wanted), "{wanted}: {asked:?}");
    }
}

#[test]
fn formulas_are_not_for_the_model_and_amounts_are() {
    let translation =
        translate(&Capitals, "Als $a^2 + b^2$ klein is,\n\n$$\nx = y\n$$\n\nklopt dat.", Format::Markdown);
    assert_eq!(sources(&translation), ["Als klein is,", "klopt dat."]);
    assert_eq!(translation.document.text(), "ALS $a^2 + b^2$ KLEIN IS,\n\n$$\nx = y\n$$\n\nKLOPT DAT.");
    for amounts in ["Het kost $5 en geen $10 meer.", "Tussen $5 en $10.", "Van US$5-US$10 of $5/$6."] {
        assert_eq!(sources(&translate(&Capitals, amounts, Format::Markdown)), [amounts]);
    }
}

#[test]
fn html_among_markdown_is_read_as_html() {
    for (text, expected) in [
        (
            "<p align=\"center\">\n  Een &amp; <em>twee</em>\n  regels.\n</p>\n\n**Drie**\n",
            "<p align=\"center\">\n  EEN &amp; <em>TWEE</em> REGELS.\n</p>\n\n**DRIE**\n",
        ),
        ("- punt\n\n  <div>Een</div>\n", "- PUNT\n\n  <div>EEN</div>\n"),
        (
            "<pre>\nniets\n\nniets\n</pre>\n<!-- niets -->\nEen\n",
            "<pre>\nniets\n\nniets\n</pre>\n<!-- niets -->\nEEN\n",
        ),
        ("<div>Een\n\n*Twee*\n\n</div>\nDrie\n", "<div>EEN\n\n*TWEE*\n\n</div>\nDRIE\n"),
        ("<div>\r\nEen\r\n</div>\r\n\r\nTwee\r\n", "<div>\r\nEEN\r\n</div>\r\n\r\nTWEE\r\n"),
        ("- <div>\n  Een\n  </div>\n- twee\n", "- <div>\n  EEN\n  </div>\n- TWEE\n"),
        ("> <div>Een</div>\n", "> <div>EEN</div>\n"),
        // The second line's sign is none of HTML.
        ("> <div>niets\n> niets</div>\n\nEen\n", "> <div>niets\n> niets</div>\n\nEEN\n"),
    ] {
        assert_eq!(translate(&Capitals, text, Format::Markdown).document.text(), expected);
    }
}

#[test]
fn documents_of_this_project_lose_nothing() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut read = 0;
    for entry in walkdir::WalkDir::new(root.join("models")).into_iter().chain(walkdir::WalkDir::new(root).max_depth(1))
    {
        let path = entry.unwrap().into_path();
        if path.extension().is_some_and(|extension| extension == "md") {
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(Document::parse("-", &text, Format::Markdown).text(), text);
            assert_eq!(Document::parse("-", &text, Format::Text).text(), text);
            read += 1;
        }
    }
    assert!(read >= 4, "{read}");
}

#[test]
fn what_dialects_add_keeps_its_form() {
    for (text, expected) in [
        (
            "Zie [Jan Piet] of [Anna Bos][] nu.\n\n[Jan Piet]: a\n[Anna Bos]: b\n",
            "nu. [Bos Anna][Anna Bos] of [Piet Jan][Jan Piet] Zie\n\n[Jan Piet]: a\n[Anna Bos]: b\n",
        ),
        ("> [!WARNING]\n> De hond blaft.\n", "> [!WARNING]\n> blaft. hond De\n"),
        ("> [!info]- Een titel\n> De hond.\n", "> [!info]- titel Een\n> hond. De\n"),
        ("# Een kop {#kop .a}\n", "# kop Een {#kop .a}\n"),
        ("Een term\n:   Een uitleg.\n", "term Een\n:   uitleg. Een\n"),
        ("::: {.note}\nEen hond.\n:::\n", "::: {.note}\nhond. Een\n:::\n"),
        (
            "Een regel.\n\n*[HTML]: Een taal\n*[CSS]: Een stijl\n",
            "regel. Een\n\n*[HTML]: taal Een\n*[CSS]: stijl Een\n",
        ),
        ("Een [knop]{.btn .a} hier.\n", "hier. [knop]{.btn .a} Een\n"),
        ("Een [knop](u){.btn} hier.\n", "hier. [knop](u){.btn} Een\n"),
        (
            "+---+---+\n| a | b |\n+===+===+\n| c | d |\n+---+---+\n",
            "+---+---+\n| a | b |\n+===+===+\n| c | d |\n+---+---+\n",
        ),
        ("\\newpage\n\nEen hond.\n", "\\newpage\n\nhond. Een\n"),
    ] {
        assert_eq!(translate(&Backwards, text, Format::Markdown).document.text(), expected, "{text}");
        assert_eq!(translate(&super::Echo, text, Format::Markdown).document.text(), text);
    }
    let note = translate(&Capitals, "Een noot^[met *tekst* erin] hier en \\[x\\](u) {niet}.\n", Format::Markdown);
    assert_eq!(note.document.text(), "EEN NOOT^[met *tekst* erin] HIER EN [X\\](U) {niet}.\n");
    // A label whose letters only differ in their case is the same label.
    let label = translate(&Capitals, "Zie [de tekst] nu.\n\n[de tekst]: a\n", Format::Markdown);
    assert_eq!(label.document.text(), "ZIE [DE TEKST] NU.\n\n[de tekst]: a\n");
}

#[test]
fn an_escape_in_front_of_a_block_stays_one() {
    for (text, expected) in [
        ("\\# Geen kop.", "\\# GEEN KOP."),
        ("\\* Let op.", "\\* LET OP."),
        ("\\- Jan kwam.", "\\- JAN KWAM."),
        ("\\> De prijs.", "\\> DE PRIJS."),
        ("\\+ De vogel.", "\\+ DE VOGEL."),
        ("\\~ Ongeveer tien.", "\\~ ONGEVEER TIEN."),
        ("1986\\. Een jaar.", "1986\\. EEN JAAR."),
        ("\\_De hond\\_ loopt.", "\\_DE HOND\\_ LOOPT."),
        ("\\`code\\` is dit.", "\\`code\\` IS DIT."),
        ("\\<b\\> is een tag.", "\\<B> IS EEN TAG."),
        ("- \\# Een punt", "- \\# EEN PUNT"),
        ("Zie \\*de hond\\* en \\~\\~niets\\~\\~.", "ZIE \\*DE HOND\\* EN \\~\\~NIETS\\~\\~."),
    ] {
        assert_eq!(translate(&Capitals, text, Format::Markdown).document.text(), expected);
    }
}

#[test]
fn addresses_and_tags_of_templates_get_no_backslash() {
    for (text, expected) in [
        (
            "Zie https://nl.wiki.org/Hond_(dier) en www.x.nl/_next/*a nu.",
            "ZIE https://nl.wiki.org/Hond_(dier) EN www.x.nl/_next/*a NU.",
        ),
        (
            "De prijs {{ a_ | b }} is {% if x < 1 %}laag{% endif %}.",
            "DE PRIJS {{ a_ | b }} IS {% if x < 1 %}LAAG{% endif %}.",
        ),
        ("| a {{ b \\| c }} | d |\n|---|---|\n", "| A {{ b \\| c }} | D |\n|---|---|\n"),
        ("3 \\* 4 in \\*x\\*", "3 \\* 4 IN \\*X\\*"),
    ] {
        assert_eq!(translate(&Capitals, text, Format::Markdown).document.text(), expected);
    }
}

#[test]
fn what_other_programs_add_keeps_its_form() {
    for (text, expected) in [
        ("Zie [[Wierdum]] nu.\n", "nu. [[Wierdum]] Zie\n"),
        ("Zie [[1]](https://x.nl) nu.\n", "nu. [[1]](https://x.nl) Zie\n"),
        ("![[foto van de brug.png]]\n\nEen hond.\n", "![[foto van de brug.png]]\n\nhond. Een\n"),
        ("Een hond. ^a1b2\n", "hond. Een ^a1b2\n"),
        ("!!! note \"Let op\"\n    Een hond.\n", "!!! note \"op Let\"\n    hond. Een\n"),
        ("??? warning\n\n    Een hond.\n\n    - Een kat\n", "??? warning\n\n    hond. Een\n\n    - kat Een\n"),
        ("=== \"Linux\"\n\n    Een hond.\n\nKlaar nu.\n", "=== \"Linux\"\n\n    hond. Een\n\nnu. Klaar\n"),
        ("import Tabs from '@theme/Tabs';\n\nEen hond.\n", "import Tabs from '@theme/Tabs';\n\nhond. Een\n"),
        ("Een hond.\n\n    code hier\n", "hond. Een\n\n    code hier\n"),
    ] {
        assert_eq!(translate(&Backwards, text, Format::Markdown).document.text(), expected, "{text}");
        assert_eq!(translate(&super::Echo, text, Format::Markdown).document.text(), text);
    }
}

#[test]
fn links_to_pages_keep_the_names_of_their_pages() {
    for (text, expected) in [
        ("Zie [[Over de brug]] nu.\n", "ZIE [[Over de brug|OVER DE BRUG]] NU.\n"),
        ("Zie [[Brug#a|deze pagina]] nu.\n", "ZIE [[Brug#a|DEZE PAGINA]] NU.\n"),
        ("| a | [[Een huis]] |\n|---|---|\n", "| A | [[Een huis\\|EEN HUIS]] |\n|---|---|\n"),
        ("Zie [[1]] nu, [[]] en [[noot]].\n\n[noot]: a\n", "ZIE [[1]] NU, [[]] EN [[NOOT]].\n\n[noot]: a\n"),
    ] {
        assert_eq!(translate(&Capitals, text, Format::Markdown).document.text(), expected);
        assert_eq!(translate(&super::Echo, text, Format::Markdown).document.text(), text);
    }
}

#[test]
fn links_to_headings_lead_to_their_new_anchors() {
    for (text, expected) in [
        (
            "- [Naar de hond](#de-hond-2)\n- [Elders](#elders)\n\n# De hond (2)\n\n    [x](#de-hond-2)\n",
            "- [hond de Naar](#2-hond-de)\n- [Elders](#elders)\n\n# (2) hond De\n\n    [x](#de-hond-2)\n",
        ),
        ("Zie [dit](#de-hond).\n\n# De hond {#de-hond}\n", "[dit](#de-hond). Zie\n\n# hond De {#de-hond}\n"),
        (
            "Zie [dit](#de-hond).\n\n<a id=\"de-hond\"></a>\n# De hond\n",
            "[dit](#de-hond). Zie\n\n<a id=\"de-hond\"></a>\n# hond De\n",
        ),
    ] {
        let source = Document::parse("-", text, Format::Markdown);
        let made = translate(&Backwards, text, Format::Markdown).document.in_language(&source, "en");
        assert_eq!(made.text(), expected);
    }
}

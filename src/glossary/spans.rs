//! Protected spans, which no translation may change: addresses, paths of files, code, placeholders, tags of templates, handles,
//! hashtags, and signs that few vocabularies have (`<`, `≥`, `→`, emoji).
//!
//! Placeholders are those of C and its relatives (`%s`, `%3$-5.2f`, `%%`), of Python (`%(x)s`, `{x!r:>10}`), of shells and PHP
//! (`$name`, `${x}`), of Laravel (`:name`) and of Symfony (`%name%`); tags of templates those of Jinja, Liquid and Twig
//! (`{% if x %}`, `{{ x }}`, `{# x #}`), of ERB (`<%= x %>`), of newsletters (`*|X|*`, `%%x%%`) and shortcodes of `WordPress` (`[gallery ids="1"]`).
//!
//! Invariant: spans are in order, do not overlap, hold no line break, and the same text has the same spans
//! wherever it stands between spaces.

use std::ops::Range;
use std::sync::{LazyLock, Mutex, PoisonError};

use regex_automata::Input;
use regex_automata::meta::{Cache, Regex};

/// What ends the names of hosts that are written without `www`: few enough not to take a full stop without a
/// space after it for one.
const DOMAINS: &str = "nl|be|eu|com|org|net|info|io|gov|edu|int|co\\.uk";

/// A sign that few vocabularies have. What keyboards and every vocabulary have is not among them.
const SIGN: &str = r"[[\p{Sm}\p{So}]--[<>+=|~¬°©®™]]";

/// What changes the emoji before it: its colour, whether it is a picture, and that the next one belongs to it.
const JOINERS: &str = r"\x{200D}\x{FE0E}\x{FE0F}\x{1F3FB}-\x{1F3FF}";

/// How a format of C writes a value: flags, width, precision, length and the conversion.
const CONVERSION: &str =
    r"(?:[-+#0]|'.?)*(?:[0-9]+|\*)?(?:\.(?:[0-9]+|\*)?)?(?:hh|h|ll|l|L|q|j|z|t)?[diouxXeEfFgGaAcsp]\b";

#[derive(Clone, Copy, Debug, PartialEq)]
enum SpanKind {
    Code,
    Url,
    Email,
    Host,
    Template,
    Shortcode,
    Braces,
    Percent,
    Format,
    Variable,
    Tag,
    Path,
    Sign,
}

/// Finds spans of all kinds.
struct Finder {
    regex: Regex,
    /// The kind of span that each pattern of `regex` finds.
    kinds: Vec<SpanKind>,
    /// One cache for all threads. A pool, as `regex` keeps one, would hold as many caches as were ever in use at once, and with
    /// capture groups one may take ten megabytes. A search takes microseconds.
    cache: Mutex<Cache>,
}

static FINDER: LazyLock<Option<Finder>> = LazyLock::new(Finder::new);

impl Finder {
    /// `None` if a pattern is invalid; a test checks that all are valid.
    fn new() -> Option<Self> {
        let address = r#"[^\s<>"“”„`]"#;
        let (kinds, patterns): (_, Vec<_>) = [
            (SpanKind::Code, r"`[^`\s](?:[^`\n\r]*[^`\s])?`".to_owned()),
            (SpanKind::Url, format!(r"(?i:(?:https?|ftp)://|www\.|mailto:)[\w\[{{$%]{address}*")),
            (SpanKind::Email, r"[\w.%+-]*[\w%+-]@[\w-]+(?:\.[\w-]+)+".to_owned()),
            (SpanKind::Host, format!(r"(?:[A-Za-z0-9][A-Za-z0-9-]*\.)+(?:{DOMAINS})\b(?:[/?#]{address}*)?")),
            // With a path, any ending is that of a host.
            (SpanKind::Host, format!(r"(?:[A-Za-z0-9][A-Za-z0-9-]*\.)+[a-z]{{2,24}}/[\w~@%?#]{address}*")),
            (SpanKind::Path, r#"[A-Z]:\\[^\s<>"“”„`|*?]*|(?:/[\w.-]+){2,}/?|(?:\.{1,2}|~)/[\w.-][\w./-]*"#.to_owned()),
            (SpanKind::Path, r"(?:[\w-][\w.-]*/)+[\w-][\w.-]*\.[a-z][a-z0-9]{1,4}\b".to_owned()),
            (
                SpanKind::Template,
                r"\{%[^\n\r]{0,200}?%\}|\{\{\{?[^\n\r]{1,200}?\}\}\}?|\{#[^\n\r]{0,200}?#\}|<%[^\n\r]{0,200}?%>|\*\|[A-Z0-9_:]{1,80}\|\*".to_owned(),
            ),
            (
                SpanKind::Shortcode,
                r#"\[[a-z][\w-]*(?:\s+[\w-]+=(?:"[^"\n\r]*"|'[^'\n\r]*'|[^\s\]"']+))+\s*/?\]|\[/[a-z][\w-]*\]"#
                    .to_owned(),
            ),
            (
                SpanKind::Braces,
                r"\$\{[^{}\n\r]{1,80}\}|%?\{[A-Za-z0-9_.:$\[\]-]{0,40}(?:![rsa])?(?::(?:[^{}\s]|\{\w*\}){0,40})?\}"
                    .to_owned(),
            ),
            (SpanKind::Percent, r"%%[A-Za-z_]\w*%%|(?:[0-9]+(?:[.,][0-9]+)?)?%%".to_owned()),
            (SpanKind::Format, format!(r"%\([A-Za-z_]\w*\){CONVERSION}|%(?:[0-9]{{1,2}}\$)?(?:{CONVERSION}|@)")),
            (SpanKind::Variable, r"\$[A-Za-z_]\w*|:[a-z][a-z0-9_]{2,}\b|%[A-Za-z_][\w.-]*%".to_owned()),
            (SpanKind::Tag, r"@\w{2,}|#\w*\p{L}\w*".to_owned()),
            (SpanKind::Sign, format!(r"[<>]=?|(?:{SIGN}[{JOINERS}]*)+")),
        ]
        .into_iter()
        .unzip();
        let regex = Regex::new_many(&patterns).ok()?;
        let cache = Mutex::new(regex.create_cache());
        Some(Self { regex, kinds, cache })
    }

    /// The first span from a byte on; of spans that begin at one place, that of the kind that is listed first.
    fn find(&self, text: &str, from: usize) -> Option<(SpanKind, Range<usize>)> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.regex.search_with(&mut cache, &Input::new(text).range(from..))?;
        Some((*self.kinds.get(found.pattern().as_usize())?, found.range()))
    }
}

/// The protected spans of a text.
#[must_use]
pub fn spans(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let Some(finder) = FINDER.as_ref().filter(|_| may_have_spans(text)) else { return spans };
    let mut at = 0;
    while let Some((kind, found)) = finder.find(text, at) {
        let before = text[..found.start].chars().next_back();
        let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let in_name = before.is_some_and(|c| matches!(c, '@' | '&' | '/' | '.' | '-'));
        let stands_anywhere = matches!(
            kind,
            SpanKind::Code | SpanKind::Template | SpanKind::Shortcode | SpanKind::Braces | SpanKind::Percent
        );
        let is_name = matches!(kind, SpanKind::Host | SpanKind::Tag | SpanKind::Variable);
        let (is_sign, is_path) = (kind == SpanKind::Sign, kind == SpanKind::Path);
        let is_part = is_path && before.is_some_and(|c| !c.is_whitespace() && !is_opener(c))
            || is_sign && !compares(text, &found);
        // A colon stands in front of a name only after a space or a bracket; elsewhere it is that of a sentence or a time.
        let is_colon = text[found.start..].starts_with(':')
            && (before.is_some_and(|c| !c.is_whitespace() && !matches!(c, '(' | '"' | '\''))
                || text[found.end..].starts_with(':'));
        if !is_colon && !is_part && (stands_anywhere || is_sign || !(in_word || in_name && is_name)) {
            let found_text = &text[found.clone()];
            let is_address = matches!(kind, SpanKind::Url | SpanKind::Host | SpanKind::Path);
            let span = if is_address { without_closers(found_text) } else { found_text };
            at = found.start + span.len();
            spans.push(found.start..at);
        } else {
            at = found.start + text[found.start..].chars().next().map_or(1, char::len_utf8);
        }
    }
    spans
}

/// Whether a character may stand before the path of a file.
fn is_opener(character: char) -> bool {
    matches!(character, '(' | '"' | '\'' | '“' | '„' | '‘' | '«' | '=' | ':')
}

/// Whether a sign stands for itself. `<` and `>` do so after a space, before another space or a number.
fn compares(text: &str, found: &Range<usize>) -> bool {
    if !text[found.start..].starts_with(['<', '>']) {
        return true;
    }
    let (before, after) = (text[..found.start].chars().next_back(), text[found.end..].chars().next());
    before.is_none_or(|c| c.is_whitespace() || c == '(')
        && after.is_some_and(|c| c.is_whitespace() || c.is_ascii_digit())
}

/// Whether a protected span is a sign, which words and numbers may touch.
#[must_use]
pub fn is_sign(span: &str) -> bool {
    span.chars()
        .next()
        .is_some_and(|c| matches!(c, '<' | '>') && !span.contains('%') || !c.is_ascii() && !c.is_alphanumeric())
}

/// Whether a text has any of what every kind of span has; most sentences do not.
fn may_have_spans(text: &str) -> bool {
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '`' | '@' | '#' | '%' | '{' | '$' | '[' | '<' | '>' | '/' | '\\' => return true,
            // Signs are no letters; what no letter is beyond these few may be one.
            _ if !character.is_ascii() && !character.is_alphanumeric() && !is_punctuation(character) => return true,
            '*' if characters.peek() == Some(&'|') => return true,
            '.' | ':' if characters.peek().is_some_and(|next| !next.is_whitespace()) => return true,
            _ => {}
        }
    }
    false
}

/// Whether a character is one of the usual punctuation marks, spaces and signs beyond ASCII.
fn is_punctuation(character: char) -> bool {
    character.is_whitespace()
        || matches!(character, '‐'..='‧' | '«' | '»' | '°' | '€' | '£' | '§' | '©' | '®' | '·' | '¿' | '¡')
}

/// An address without the punctuation of the sentence around it; a bracket that opened inside may close.
fn without_closers(mut address: &str) -> &str {
    while let Some(last) = address.chars().next_back() {
        let opener = match last {
            ')' => Some('('),
            ']' => Some('['),
            '}' => Some('{'),
            '.' | ',' | ';' | ':' | '!' | '?' | '\'' | '’' | '‘' | '»' | '*' | '_' | '…' => None,
            _ => break,
        };
        if opener.is_some_and(|opener| address.matches(opener).count() >= address.matches(last).count()) {
            break;
        }
        address = &address[..address.len() - last.len_utf8()];
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_have_a_span_has_none() {
        let pieces = [
            "a", "É", "1", " ", "\n", ".", ":", "/", "//", "@", "#", "%", "{", "}", "$", "`", "www", "nl", "http",
            "mailto", "(", "-", "[", "]", "=", "*", "|", "<", ">", "\\", "C", "~", "→", "🎉", "€", "’",
        ];
        let finder = FINDER.as_ref().unwrap();
        let mut seed = 1usize;
        let mut without = 0;
        for _ in 0..40_000 {
            let text: String = (0..7)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    pieces[(seed >> 33) % pieces.len()]
                })
                .collect();
            without += usize::from(!may_have_spans(&text));
            assert!(may_have_spans(&text) || finder.find(&text, 0).is_none(), "{text}");
        }
        assert!(without > 500, "{without}");
        assert!(!may_have_spans("De brug is klaar. Dat zegt de gemeente: alles werkt."));
    }

    fn found(text: &str) -> Vec<&str> {
        spans(text).into_iter().map(|span| &text[span]).collect()
    }

    #[test]
    fn what_is_protected() {
        for (text, expected) in [
            ("Kijk op https://voorbeeld.nl/a?b=c&d=(e), of niet.", &["https://voorbeeld.nl/a?b=c&d=(e)"][..]),
            ("(zie www.voorbeeld.nl/pad).", &["www.voorbeeld.nl/pad"]),
            ("Mail naar redactie@krant.voorbeeld.nl!", &["redactie@krant.voorbeeld.nl"]),
            ("Volgens nu.nl en ‘bol.com’ wel.", &["nu.nl", "bol.com"]),
            ("Beste {naam}, u heeft {0} en {{ aantal }} en ${prijs}.", &["{naam}", "{0}", "{{ aantal }}", "${prijs}"]),
            ("%s van %(totaal)d, %1$s en 100% zeker", &["%s", "%(totaal)d", "%1$s"]),
            ("Typ `ls -l` of `cd`, zei @jan_k over #klimaat2030.", &["`ls -l`", "`cd`", "@jan_k", "#klimaat2030"]),
            ("`Nee', zei hij, `ja'", &[]),
            ("Nummer #1, 5%d en 20 % d van a@b.", &[]),
            ("De brug is klaar.Nu de weg. Om 12.00 uur.", &[]),
            (
                "{naam!r}, {tijd:%H:%M}, {prijs:>10,.2f}, {0:{w}}, {a[0]} en %{naam}",
                &["{naam!r}", "{tijd:%H:%M}", "{prijs:>10,.2f}", "{0:{w}}", "{a[0]}", "%{naam}"],
            ),
            (
                "100%% van %d, %-5.2f, %3$-5.2f, %ld, %zu, %+.3e, %5d, %1$'010d, '%c' en %(x)5.1f",
                &["100%%", "%d", "%-5.2f", "%3$-5.2f", "%ld", "%zu", "%+.3e", "%5d", "%1$'010d", "%c", "%(x)5.1f"],
            ),
            ("$naam van :naam, %aantal% en US$5.", &["$naam", ":naam", "%aantal%"]),
            ("Let op:dit is 5:30, a::b, :-) of :p en 50% of 100% van de tijd.", &[]),
            (
                "Is {% if x < 1 %}laag{% else %}hoog{% endif %}, {{ a | b({c: 1}) }} of {# niets #}?",
                &["{% if x < 1 %}", "{% else %}", "{% endif %}", "{{ a | b({c: 1}) }}", "{# niets #}"],
            ),
            (
                "[caption id=\"a\" width='3' align=left]De hond[/caption] [gallery ids=\"1,2\"] [een noot] [x]",
                &["[caption id=\"a\" width='3' align=left]", "[/caption]", "[gallery ids=\"1,2\"]"],
            ),
            ("*|FNAME|*, %%datum%% en <%= naam %> zijn *vet*", &["*|FNAME|*", "%%datum%%", "<%= naam %>"]),
            ("https:// en www. zijn niets", &[]),
            ("https://{host}/x", &["https://{host}/x"]),
            ("&#39;t is", &[]),
            ("Zie bit.ly/3abcD, of (voorbeeld.amsterdam/weg/?a=1).", &["bit.ly/3abcD", "voorbeeld.amsterdam/weg/?a=1"]),
            (
                "Open /etc/hosts, C:\\Temp\\a.txt, ~/notities en (src/main.rs).",
                &["/etc/hosts", "C:\\Temp\\a.txt", "~/notities", "src/main.rs"],
            ),
            ("Hij en/of zij reed in 2023/2024 op 1/2 km/u, o.a./bijv. per m/s; 24/7 en/of/noch.", &[]),
            ("Als 3 < 5 en a >= b, dan (>2) of <b>vet</b>, a->b, x<y en </b>.", &["<", ">=", ">"]),
            ("De prijs → 5 ≥ 3, ±2 van 20 °C™ met 3 × 4 = 12 € en 5 + 5.", &["→", "≥", "±", "×"]),
            ("Feest 🎉👍🏽 met 👩‍🚀 en ❤️.", &["🎉👍🏽", "👩‍🚀", "❤️"]),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }
}

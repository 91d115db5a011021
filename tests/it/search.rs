//! The search beside transformers' `generate`, on a scripted model that both compute alike
//! (`tests/fixtures/make_search.py`).

// What a fixture holds is known.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use anyhow::Result;
use candle_core::{Device, Tensor};
use kortom::glossary::Alternatives;
use kortom::search::{
    EarlyStopping, GUARD, Hypothesis, Logits, Required, ResumePoint, Sampling, Search, SearchOptions, SearchResult,
    Sequence, Step, WordBoundaries, search,
};
use serde_json::Value;

const V: u64 = 40;
const START: u32 = 1;
const EOS: u32 = 2;
/// Sentences from here on like to say one word again and again, for long.
const REPETITIVE: u64 = 50_000;

fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The same function as in the script, in the same order of operations.
fn logits(item: u64, history: &[u32]) -> Vec<f32> {
    let near = mix(item * 1000 + u64::from(history[history.len() - 1]));
    let far = history.iter().fold(mix(item), |far, &token| mix(far ^ u64::from(token)));
    let part = |seed: u64, token: u64, scale: f32| (mix(seed ^ token) >> 44) as f32 / scale;
    let mut row: Vec<f32> = (0..V).map(|token| part(near, token, 131_072.0) + part(far, token, 262_144.0)).collect();
    if item < REPETITIVE {
        row[EOS as usize] += (history.len() as f32 - 6.0) / 8.0;
    } else {
        row[history[history.len() - 1] as usize] += 4.0;
        row[EOS as usize] += (history.len() as f32 - 96.0) / 32.0;
    }
    row[0] -= 4.0;
    row
}

/// A model that knows each row's sentence and history.
struct Scripted {
    rows: Vec<(u64, Vec<u32>)>,
    /// How many rows each step had.
    widths: Vec<usize>,
}

impl Scripted {
    fn new(items: &[u64]) -> Self {
        Self { rows: items.iter().map(|&item| (item, Vec::new())).collect(), widths: Vec::new() }
    }
}

impl Step for Scripted {
    fn step(&mut self, tokens: &[u32]) -> Result<Logits> {
        self.widths.push(tokens.len());
        assert_eq!(tokens.len(), self.rows.len());
        self.rows.iter_mut().zip(tokens).for_each(|((_, history), &token)| history.push(token));
        let rows: Vec<f32> = self.rows.iter().flat_map(|(item, history)| logits(*item, history)).collect();
        Ok(Tensor::from_vec(rows, (tokens.len(), V as usize), &Device::Cpu)?.into())
    }

    fn select(&mut self, rows: &[usize]) -> Result<()> {
        self.rows = rows.iter().map(|&row| self.rows[row].clone()).collect();
        Ok(())
    }
}

fn source(item: u64) -> Vec<u32> {
    let mut source = vec![item / V / V, item / V % V, item % V];
    source.extend((0..11).map(|place| mix(item * 77 + place) % V));
    source.into_iter().map(|token| token as u32).chain([EOS]).collect()
}

fn find(items: &[u64], options: &SearchOptions) -> Vec<Vec<Hypothesis>> {
    find_guarded(&items.iter().map(|&item| (item, None)).collect::<Vec<_>>(), options)
        .into_iter()
        .map(|found| found.hypotheses)
        .collect()
}

/// The same, some with a guard.
fn find_guarded(items: &[(u64, Option<&ResumePoint>)], options: &SearchOptions) -> Vec<SearchResult> {
    let sources: Vec<Vec<u32>> = items.iter().map(|&(item, _)| source(item)).collect();
    let items: Vec<Sequence> = sources
        .iter()
        .zip(items)
        .map(|(source, &(index, guard))| Sequence { source, index, guard, ..Sequence::default() })
        .collect();
    let mut model = Scripted::new(&[]);
    model.rows =
        items.iter().flat_map(|item| item.prefill().into_iter().map(|fed| (item.index, fed.to_vec()))).collect();
    search(&mut model, &items, options).unwrap()
}

/// The same, but the items join one by one, each two steps after the one before.
fn find_admitting(items: &[u64], options: &SearchOptions) -> Vec<Vec<Hypothesis>> {
    let (mut model, mut search) = (Scripted::new(&[]), Search::new(options).unwrap());
    let mut found = vec![Vec::new(); items.len()];
    let mut arriving = items.iter();
    for step in 0.. {
        if step % 2 == 0
            && let Some(&item) = arriving.next()
        {
            model.rows.push((item, Vec::new()));
            search.admit(&[Sequence { source: &source(item), index: item, ..Sequence::default() }]).unwrap();
        }
        if search.running() == 0 && arriving.len() == 0 {
            break;
        }
        if search.running() > 0 {
            for (number, done) in search.advance(&mut model).unwrap() {
                found[number] = done.hypotheses;
            }
        }
    }
    found
}

#[test]
fn when_a_sequence_is_admitted_changes_nothing() {
    for (settings, items, _) in &cases() {
        let options = options(settings);
        assert_eq!(find_admitting(items, &options), find(items, &options), "{settings}");
    }
    let sampling = Sampling { temperature: 0.7, top_k: 5, top_p: 0.9, seed: 3 };
    for (n_best, start) in [(1, vec![START]), (3, vec![START]), (2, vec![START, 7, 9])] {
        let options =
            SearchOptions { sampling: Some(sampling), n_best, start, ..SearchOptions::greedy(START, EOS, 19) };
        let items: Vec<u64> = (0..9).collect();
        assert_eq!(find_admitting(&items, &options), find(&items, &options), "{n_best} samples");
    }
}

/// One token or a list of tokens.
fn tokens(value: &Value) -> Vec<u32> {
    match value {
        Value::Array(tokens) => tokens.iter().map(|token| token.as_u64().unwrap() as u32).collect(),
        token => vec![token.as_u64().unwrap() as u32],
    }
}

/// The options that a case's settings, in transformers' names, stand for.
fn options(settings: &Value) -> SearchOptions {
    let mut options = SearchOptions::greedy(START, EOS, 19);
    for (name, value) in settings.as_object().unwrap() {
        let count = || value.as_u64().unwrap() as usize;
        match name.as_str() {
            "num_beams" => options.num_beams = count(),
            "num_return_sequences" => options.n_best = count(),
            "length_penalty" => options.length_penalty = value.as_f64().unwrap(),
            "early_stopping" if value == "never" => options.early_stopping = EarlyStopping::Never,
            "early_stopping" if value == true => options.early_stopping = EarlyStopping::True,
            "early_stopping" => options.early_stopping = EarlyStopping::False,
            "max_length" => options.max_new_tokens = count() - 1,
            "max_new_tokens" => options.max_new_tokens = count(),
            "min_length" => options.min_length = count(),
            "min_new_tokens" => options.min_new_tokens = count(),
            "no_repeat_ngram_size" => options.no_repeat_ngram_size = count(),
            "encoder_no_repeat_ngram_size" => options.encoder_no_repeat_ngram_size = count(),
            "repetition_penalty" => options.repetition_penalty = value.as_f64().unwrap(),
            "bad_words_ids" => options.bad_words = value.as_array().unwrap().iter().map(tokens).collect(),
            "forced_bos_token_id" => options.forced_bos = Some(tokens(value)[0]),
            "forced_eos_token_id" => options.forced_eos = tokens(value),
            "suppress_tokens" => options.suppress = tokens(value),
            "begin_suppress_tokens" => options.begin_suppress = tokens(value),
            "renormalize_logits" => options.renormalize = value.as_bool().unwrap(),
            "eos_token_id" => options.eos = tokens(value),
            name => panic!("a setting this test does not know: {name}"),
        }
    }
    // transformers replaces one by the other before decoding starts, as `engine::settings` does.
    if options.min_new_tokens > 0 {
        options.min_length = 0;
    }
    options
}

/// Every case of the fixture: its settings, items and what transformers found.
fn cases() -> Vec<(Value, Vec<u64>, Value)> {
    let fixture: Value = serde_json::from_str(include_str!("../fixtures/search.json")).unwrap();
    let cases = fixture["cases"].as_array().unwrap();
    let items = |case: &Value| case["items"].as_array().unwrap().iter().map(|item| item.as_u64().unwrap()).collect();
    cases.iter().map(|case| (case["settings"].clone(), items(case), case["found"].clone())).collect()
}

#[test]
fn tokens_and_scores_are_those_of_transformers() {
    let cases = cases();
    assert!(cases.len() >= 500);
    let mut compared = 0;
    for (settings, items, expected) in &cases {
        let found = find(items, &options(settings));
        for ((found, expected), item) in found.iter().zip(expected.as_array().unwrap()).zip(items) {
            let expected = expected.as_array().unwrap();
            assert_eq!(found.len(), expected.len(), "{settings}, item {item}");
            for (found, expected) in found.iter().zip(expected) {
                assert_eq!(found.tokens, tokens(&expected["tokens"]), "{settings}, item {item}");
                let score = expected["score"].as_f64().unwrap() as f32;
                let near = (found.score - score).abs() <= 1e-4 * score.abs().max(1.0);
                assert!(near, "{settings}, item {item}: {} and {score}", found.score);
                compared += 1;
            }
        }
    }
    assert!(compared >= 1500, "{compared} hypotheses compared");
}

#[test]
fn a_setting_that_changes_nothing_would_be_no_test() {
    // Each setting must make a difference to what is found, in ten cases at least.
    let cases = cases();
    let names: BTreeSet<String> =
        cases.iter().flat_map(|(settings, ..)| settings.as_object().unwrap().keys().cloned()).collect();
    for name in names.iter().filter(|name| *name != "num_return_sequences") {
        let with = cases.iter().filter(|(settings, ..)| settings.get(name).is_some());
        let changed = with.filter(|(settings, items, _)| {
            let mut without = settings.clone();
            without.as_object_mut().unwrap().remove(name);
            without.as_object_mut().unwrap().remove("num_return_sequences");
            find(items, &options(&without)) != find(items, &options(settings))
        });
        assert_eq!(changed.take(10).count(), 10, "`{name}` hardly ever changes a result");
    }
}

#[test]
fn an_item_is_the_same_alone_and_among_others() {
    for (settings, items, _) in cases().iter().step_by(7) {
        let options = options(settings);
        let together = find(items, &options);
        for (item, together) in items.iter().zip(together) {
            assert_eq!(find(&[*item], &options), [together], "{settings}, item {item}");
        }
    }
}

#[test]
fn token_scores_add_up_to_the_score() {
    for (settings, items, _) in cases().iter().step_by(5) {
        let options = options(settings);
        for hypothesis in find(items, &options).concat() {
            assert_eq!(hypothesis.token_scores.len(), hypothesis.tokens.len());
            let length = hypothesis.tokens.len() as f64;
            let sum: f64 = hypothesis.token_scores.iter().map(|&score| f64::from(score)).sum();
            let score = sum / length.powf(options.length_penalty);
            assert!((score - f64::from(hypothesis.score)).abs() < 1e-4 * score.abs().max(1.0), "{settings}");
        }
    }
}

#[test]
fn a_greedy_output_is_truncated_when_more_room_would_have_changed_it() {
    for forced_eos in [vec![], vec![EOS]] {
        let short = SearchOptions { forced_eos, ..SearchOptions::greedy(START, EOS, 16) };
        let long = SearchOptions::greedy(START, EOS, 200);
        let mut kinds = BTreeSet::new();
        for item in 500..800 {
            let (short, long) = (&find(&[item], &short)[0][0], &find(&[item], &long)[0][0]);
            assert!(!long.truncated);
            assert_eq!(short.truncated, long.tokens.len() > 16, "item {item}");
            kinds.insert(long.tokens.len().cmp(&16));
        }
        assert_eq!(kinds.len(), 3, "shorter, longer and just as long must all occur");
    }
}

#[test]
fn a_beam_is_truncated_when_the_maximum_ended_it() {
    for (forced_eos, num_beams) in [(vec![], 3), (vec![EOS], 3)] {
        let options = SearchOptions { forced_eos, num_beams, n_best: 3, ..SearchOptions::greedy(START, EOS, 16) };
        let found = find(&(500..560).collect::<Vec<_>>(), &options).concat();
        for hypothesis in &found {
            let ended = hypothesis.tokens.last() == Some(&EOS);
            assert!(ended || hypothesis.truncated);
            assert!(hypothesis.tokens.len() == 16 || (ended && !hypothesis.truncated));
        }
        let at_the_end = || found.iter().filter(|hypothesis| hypothesis.tokens.len() == 16);
        assert!(at_the_end().any(|hypothesis| hypothesis.truncated));
        assert!(at_the_end().any(|hypothesis| !hypothesis.truncated));
    }
}

#[test]
fn where_the_rules_leave_no_token_the_output_is_cut() {
    for num_beams in [1, 3] {
        let suppress = (0..40).filter(|token| !(10..15).contains(token)).collect();
        let options =
            SearchOptions { num_beams, suppress, no_repeat_ngram_size: 1, ..SearchOptions::greedy(START, EOS, 30) };
        for found in find(&[700, 701], &options) {
            let mut tokens = found[0].tokens.clone();
            tokens.sort_unstable();
            assert_eq!(tokens, [10, 11, 12, 13, 14]);
            assert!(found[0].truncated);
        }
    }
}

/// Of few tokens, so that they repeat, under rules of all kinds.
fn repetitive() -> Vec<SearchOptions> {
    let suppress: Vec<u32> = (0..V as u32).filter(|token| ![EOS, 5, 6, 7, 8, 9].contains(token)).collect();
    let plain = SearchOptions { suppress, ..SearchOptions::greedy(START, EOS, 19) };
    let rules = [
        plain.clone(),
        SearchOptions { renormalize: true, ..plain.clone() },
        SearchOptions { forced_eos: vec![EOS], max_new_tokens: 9, ..plain.clone() },
        SearchOptions { repetition_penalty: 1.3, ..plain.clone() },
        SearchOptions { min_length: 6, bad_words: vec![vec![5, 6]], ..plain.clone() },
        SearchOptions { start: vec![START, 5, 5], ..plain },
    ];
    let beams = |num_beams| rules.clone().into_iter().map(move |rules| SearchOptions { num_beams, ..rules });
    [1, 2, 4].into_iter().flat_map(beams).collect()
}

#[test]
fn a_guarded_search_resumes_where_it_parts_from_one_without() {
    let mut same = 0;
    for options in repetitive() {
        let items: Vec<u64> = (0..300).collect();
        let all = |guard: &dyn Fn(usize) -> Option<&'static ResumePoint>| {
            find_guarded(&items.iter().map(|&item| (item, guard(item as usize))).collect::<Vec<_>>(), &options)
        };
        let free = all(&|_| None);
        let from_start = all(&|_| Some(&ResumePoint::Unknown));
        let known: Vec<_> = items.iter().zip(&free).map(|(&item, free)| (item, Some(&free.resume_point))).collect();
        let guarded = find_guarded(&known, &options);
        let mut changed = 0;
        for ((free, from_start), guarded) in free.iter().zip(&from_start).zip(&guarded) {
            let [free_best, start_best, best] = [free, from_start, guarded].map(|found| &found.hypotheses[0]);
            assert_eq!((&best.tokens, best.truncated), (&start_best.tokens, start_best.truncated), "{options:?}");
            for (score, other) in best.token_scores.iter().zip(&start_best.token_scores) {
                assert!((score - other).abs() < 1e-5, "{options:?}");
            }
            let grams: Vec<&[u32]> = best.tokens.windows(GUARD).collect();
            assert_eq!(grams.iter().collect::<BTreeSet<_>>().len(), grams.len(), "{:?}", best.tokens);
            match free.resume_point {
                ResumePoint::Unknown => panic!("no resume point was recorded"),
                ResumePoint::Never => {
                    assert_eq!((&best.tokens, best.truncated), (&free_best.tokens, free_best.truncated));
                }
                ResumePoint::At(_) => {}
            }
            same += usize::from(matches!(free.resume_point, ResumePoint::Never));
            changed += usize::from(best.tokens != free_best.tokens);
        }
        assert!(changed >= 20, "{changed} changed: {options:?}");
    }
    assert!(same >= 300, "{same} the same");
}

#[test]
fn no_resume_point_is_recorded_for_a_guard_that_makes_no_difference() {
    let plain = SearchOptions::greedy(START, EOS, 19);
    let sampling = Some(Sampling { temperature: 1.0, top_k: 0, top_p: 1.0, seed: 0 });
    for options in [SearchOptions { no_repeat_ngram_size: 2, ..plain.clone() }, SearchOptions { sampling, ..plain }] {
        assert!(!options.can_guard());
        assert!(matches!(find_guarded(&[(1, None)], &options)[0].resume_point, ResumePoint::Unknown));
    }
}

#[test]
fn a_search_of_fewer_beams_does_not_resume_one_of_more() {
    let wide = repetitive().pop().unwrap();
    let narrow = SearchOptions { num_beams: 2, ..wide.clone() };
    let free = (0..).map(|item| find_guarded(&[(item, None)], &wide).remove(0));
    let resumed =
        free.map(|found| found.resume_point).find(|resume_point| matches!(resume_point, ResumePoint::At(_))).unwrap();
    let item = Sequence { guard: Some(&resumed), ..Sequence::default() };
    let error = Search::new(&narrow).unwrap().admit(&[item]).unwrap_err().to_string();
    assert!(error.contains("fewer beams"), "{error}");
}

#[test]
fn rows_are_as_few_as_can_be() {
    let options = SearchOptions { num_beams: 4, ..SearchOptions::greedy(START, EOS, 40) };
    let mut model = Scripted::new(&[1, 2, 3, 4, 5, 6]);
    search(&mut model, &[Sequence::default(); 6], &options).unwrap();
    assert_eq!(model.widths[..2], [6, 24]);
    assert!(model.widths.iter().any(|&width| width < 24), "no item ended before the others: {:?}", model.widths);
    let forced = SearchOptions { forced_bos: Some(7), ..options };
    let mut model = Scripted::new(&[1, 2]);
    search(&mut model, &[Sequence::default(); 2], &forced).unwrap();
    assert_eq!(model.widths[..3], [2, 2, 8]);
}

#[test]
fn several_start_tokens_are_all_fed() {
    let options = SearchOptions { start: vec![START, 5, 6], num_beams: 2, ..SearchOptions::greedy(START, EOS, 12) };
    let mut model = Scripted::new(&[8]);
    let found = search(&mut model, &[Sequence::default()], &options).unwrap();
    assert_eq!(model.rows[0].1[..3], [START, 5, 6]);
    assert!(found[0].hypotheses[0].tokens.len() <= 12);
}

#[test]
fn sampling_depends_on_seed_and_place_alone() {
    let sampling = Sampling { temperature: 1.0, top_k: 0, top_p: 0.95, seed: 1 };
    let options = SearchOptions { n_best: 3, sampling: Some(sampling), ..SearchOptions::greedy(START, EOS, 15) };
    let together = find(&[40, 41, 42], &options);
    for (item, together) in (40..).zip(&together) {
        assert_eq!(&find(&[item], &options)[0], together);
        assert_eq!(together.len(), 3);
        assert!(together.is_sorted_by(|a, b| a.score >= b.score));
        assert!(together[0].tokens != together[1].tokens || together[1].tokens != together[2].tokens);
    }
    let other = SearchOptions { sampling: Some(Sampling { seed: 2, ..sampling }), ..options.clone() };
    assert_ne!(find(&[40], &other)[0], together[0]);
    // From one candidate there is no chance left.
    let certain = SearchOptions { n_best: 1, sampling: Some(Sampling { top_k: 1, ..sampling }), ..options };
    let greedy = SearchOptions { sampling: None, ..certain.clone() };
    assert_eq!(find(&[43], &certain)[0][0].tokens, find(&[43], &greedy)[0][0].tokens);
}

#[test]
fn combinations_without_meaning_are_refused() {
    let base = SearchOptions::greedy(START, EOS, 10);
    let sampling = Some(Sampling { temperature: 1.0, top_k: 0, top_p: 1.0, seed: 0 });
    let cold = sampling.map(|sampling| Sampling { temperature: 0.0, ..sampling });
    let wide = sampling.map(|sampling| Sampling { top_p: 1.5, ..sampling });
    let refused = [
        ("num_beams", SearchOptions { num_beams: 0, ..base.clone() }),
        ("max_new_tokens", SearchOptions { max_new_tokens: 0, ..base.clone() }),
        ("num_return_sequences", SearchOptions { n_best: 0, ..base.clone() }),
        ("greedy search finds one", SearchOptions { n_best: 2, ..base.clone() }),
        ("2 beams cannot give 3", SearchOptions { num_beams: 2, n_best: 3, ..base.clone() }),
        ("length_penalty", SearchOptions { length_penalty: f64::NAN, ..base.clone() }),
        ("repetition_penalty", SearchOptions { repetition_penalty: 0.0, ..base.clone() }),
        ("start token", SearchOptions { start: Vec::new(), ..base.clone() }),
        ("bad_words_ids", SearchOptions { bad_words: vec![vec![]], ..base.clone() }),
        ("bad_words_ids", SearchOptions { bad_words: vec![vec![3, 40]], ..base.clone() }),
        ("forced_bos_token_id", SearchOptions { forced_bos: Some(77), ..base.clone() }),
        ("suppress_tokens", SearchOptions { forced_bos: Some(7), suppress: vec![7], ..base.clone() }),
        ("temperature", SearchOptions { sampling: cold, ..base.clone() }),
        ("top_p", SearchOptions { sampling: wide, ..base.clone() }),
        ("sampling with 2 beams", SearchOptions { sampling, num_beams: 2, ..base.clone() }),
        ("no token to begin with", SearchOptions { suppress: (0..40).collect(), ..base.clone() }),
        ("no token to begin with", SearchOptions { suppress: (0..40).collect(), num_beams: 3, ..base.clone() }),
    ];
    for (named, options) in refused {
        let error = search(&mut Scripted::new(&[1]), &[Sequence::default()], &options).unwrap_err().to_string();
        assert!(error.contains(named) && error.contains("\nhint: "), "{named}: {error}");
    }
    assert!(search(&mut Scripted::new(&[]), &[], &base).unwrap().is_empty());
}

/// Tokens from 30 on go on with a word, and those below 3 end none.
fn boundaries() -> WordBoundaries {
    WordBoundaries::new((0..V).map(|token| (token >= 30, token >= 3)))
}

fn find_with(items: &[(u64, &[Alternatives<u32>])], options: &SearchOptions) -> Vec<Vec<Hypothesis>> {
    let boundaries = boundaries();
    let numbers: Vec<u64> = items.iter().map(|(item, _)| *item).collect();
    let required = |terms| {
        Some(Required { terms, boundaries: &boundaries, reward: 0.0, expected_length: 0 })
            .filter(|required| !required.terms.is_empty())
    };
    let items: Vec<Sequence> = items
        .iter()
        .map(|&(item, terms)| Sequence { index: item, required: required(terms), ..Sequence::default() })
        .collect();
    let found = search(&mut Scripted::new(&numbers), &items, options).unwrap();
    found.into_iter().map(|found| found.hypotheses).collect()
}

/// Up to four terms of one to four tokens, with up to three ways to write each, made from a number.
fn terms(item: u64) -> Vec<Alternatives<u32>> {
    let draw = |what: u64, most: u64| mix(item * 131 + what) % most;
    let token = |term: u64, way: u64, at: u64| {
        let least = if at == 0 { 3 } else { 20 };
        least + (draw(1000 + term * 100 + way * 10 + at, 20)) as u32
    };
    let way = |term: u64, way: u64| (0..=draw(10 * term + way, 4)).map(|at| token(term, way, at)).collect();
    (0..=draw(0, 4)).map(|term| (0..=draw(term + 1, 3)).map(|index| way(term, index)).collect()).collect()
}

/// Whether all terms are in the tokens, each between word boundaries at a place of its own, by trying all places.
fn holds(tokens: &[u32], terms: &[Alternatives<u32>]) -> bool {
    let Some((term, others)) = terms.split_first() else { return true };
    let joined = |at: usize| at > 0 && at < tokens.len() && tokens[at] >= 30 && tokens[at - 1] >= 3;
    (0..tokens.len()).any(|at| {
        term.iter().any(|way| {
            let whole = tokens[at..].starts_with(way) && !joined(at) && !joined(at + way.len());
            let mut rest = tokens.to_vec();
            // Nothing begins, ends or goes on here any more.
            rest.splice(at..(at + way.len()).min(tokens.len()), std::iter::repeat_n(0, way.len()));
            whole && holds(&rest, others)
        })
    })
}

#[test]
fn required_terms_are_there() {
    let options = SearchOptions { num_beams: 8, ..SearchOptions::greedy(START, EOS, 60) };
    let free = SearchOptions { num_beams: 8, ..options.clone() };
    let (mut several, mut by_chance) = (0, 0);
    for item in 0..400 {
        let terms = terms(item);
        let found = &find_with(&[(item, &terms)], &options)[0][0];
        assert!(found.missing == 0 && !found.truncated && holds(&found.tokens, &terms), "{item}: {found:?} {terms:?}");
        assert_eq!(found.tokens.last(), Some(&EOS));
        several += usize::from(terms.len() > 1);
        by_chance += usize::from(holds(&find(&[item], &free)[0][0].tokens, &terms));
    }
    assert!(several > 200 && by_chance < 100, "{several} {by_chance}");
}

#[test]
fn a_sequence_without_terms_is_what_it_is_in_a_search_without_any() {
    let options = SearchOptions { num_beams: 5, n_best: 3, ..SearchOptions::greedy(START, EOS, 30) };
    let terms: Vec<Vec<Alternatives<u32>>> =
        (0..40).map(|item| if item % 3 == 0 { terms(item) } else { Vec::new() }).collect();
    let items: Vec<(u64, &[Alternatives<u32>])> =
        (0..).zip(&terms).map(|(item, terms)| (item, terms.as_slice())).collect();
    let together = find_with(&items, &options);
    for (item, together) in items.iter().zip(&together) {
        assert_eq!(&find_with(&[*item], &options)[0], together);
        if item.1.is_empty() {
            assert_eq!(&find(&[item.0], &options)[0], together);
        }
    }
}

/// The sum of log-probabilities of the best way to go on with at most `room` tokens below 6 so that all have the terms,
/// by trying all of them.
fn best_of_all(item: u64, tokens: &mut Vec<u32>, room: usize, terms: &[Alternatives<u32>]) -> f64 {
    let mut history = vec![START];
    history.extend(&tokens[..]);
    let row = logits(item, &history);
    let sum = row.iter().map(|&x| f64::from(x).exp()).sum::<f64>().ln();
    let mut best = f64::NEG_INFINITY;
    for token in 0..6 {
        tokens.push(token);
        let value = f64::from(row[token as usize]) - sum;
        let rest = match token {
            _ if token != EOS && room > 1 => best_of_all(item, tokens, room - 1, terms),
            _ if holds(tokens, terms) => 0.0,
            _ => f64::NEG_INFINITY,
        };
        best = best.max(value + rest);
        tokens.pop();
    }
    best
}

#[test]
fn with_beams_enough_the_best_output_that_has_the_terms_is_found() {
    let suppress = (6..V as u32).collect();
    let options = SearchOptions {
        num_beams: 2000,
        length_penalty: 0.0,
        early_stopping: EarlyStopping::Never,
        suppress,
        ..SearchOptions::greedy(START, EOS, 6)
    };
    for item in 0..24_u64 {
        let token = |n: u64| 3 + (mix(item * 7 + n) % 3) as u32;
        let terms = vec![vec![vec![token(0), token(1)]], vec![vec![token(2)], vec![token(3), token(4)]]];
        let found = &find_with(&[(item, &terms)], &options)[0][0];
        let best = best_of_all(item, &mut Vec::new(), 6, &terms);
        assert_eq!(found.missing, 0);
        assert!((f64::from(found.score) - best).abs() < 1e-4, "item {item}: {found:?}, but {best} is possible");
    }
}

#[test]
fn a_term_that_occurs_twice_is_there_twice_whatever_repetition_rules_say() {
    let term: Alternatives<u32> = vec![vec![20, 31, 25]];
    for (no_repeat_ngram_size, repetition_penalty) in [(0, 1.0), (2, 1.0), (3, 1.4)] {
        let base = SearchOptions::greedy(START, EOS, 120);
        let options = SearchOptions { num_beams: 6, no_repeat_ngram_size, repetition_penalty, ..base };
        for item in 0..40 {
            let found = &find_with(&[(item, &[term.clone(), term.clone()])], &options)[0][0];
            let times = found.tokens.windows(3).filter(|window| *window == term[0]).count();
            assert!(times >= 2 && !found.truncated, "{item}: {found:?}");
        }
    }
}

#[test]
fn terms_that_do_not_fit_are_said_to_be_missing() {
    let options = SearchOptions { num_beams: 8, ..SearchOptions::greedy(START, EOS, 3) };
    let terms: [Alternatives<u32>; 2] = [vec![vec![20, 31, 25]], vec![vec![11], vec![12, 31]]];
    for forced_eos in [vec![], vec![EOS]] {
        let options = SearchOptions { forced_eos, ..options.clone() };
        for item in 0..20 {
            let found = &find_with(&[(item, &terms)], &options)[0][0];
            assert!(!holds(&found.tokens, &terms) && found.missing > 0, "{item}: {found:?}");
        }
    }
    let alone = SearchOptions { num_beams: 1, ..options };
    let boundaries = boundaries();
    let items = [Sequence {
        required: Some(Required { terms: &terms, boundaries: &boundaries, reward: 0.0, expected_length: 0 }),
        ..Sequence::default()
    }];
    let error = search(&mut Scripted::new(&[1]), &items, &alone).unwrap_err().to_string();
    assert!(error.contains("one beam") && error.contains("\nhint: "), "{error}");
}

//! Many requests at once share the model's batches.

use std::thread;

use serde_json::{Value, json};

use super::Server;
use crate::cli::ARTICLE;

/// An article that no other one is like.
fn article(number: usize) -> String {
    let sentence = |place: usize| match (number + place) % 4 {
        0 => format!("De brug is {number} meter lang."),
        1 => format!("Volgens de burgemeester zijn er {place} kinderen op de school in de stad, en dat is te veel."),
        2 => "Het regent vandaag.".to_owned(),
        _ => format!(
            "Hij betaalde {} euro voor de fiets van zijn vader, want die was nog bijna nieuw.",
            number * 7 + place
        ),
    };
    (0..=number % 7).map(|place| sentence(place) + " ").collect()
}

#[test]
fn an_answer_does_not_depend_on_the_company() {
    let server = Server::start(&[]);
    let alone: Vec<Value> = [ARTICLE.to_owned(), article(3), article(6)]
        .iter()
        .map(|article| server.json("/digest", &json!({ "q": article })).good())
        .collect();
    thread::scope(|scope| {
        let others: Vec<_> = (0..50)
            .map(|number| {
                let server = &server;
                scope.spawn(move || server.json("/digest", &json!({ "q": article(number) })).body)
            })
            .collect();
        let again = scope.spawn(|| server.json("/digest", &json!({ "q": ARTICLE })).good());
        assert_eq!(again.join().unwrap(), alone[0]);
        let others: Vec<Value> =
            others.into_iter().map(|other| serde_json::from_str(&other.join().unwrap()).unwrap()).collect();
        assert_eq!([&others[3], &others[6]], [&alone[1], &alone[2]]);
    });
    let page = server.get("/metrics").body;
    let number = |name: &str| -> usize {
        page.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().parse().unwrap()
    };
    let (batches, answered) = (number("kortom_batches_total"), number("kortom_request_seconds_count"));
    assert!(batches < answered, "{batches} batches for {answered} requests");
}

#[test]
fn a_short_request_does_not_wait_for_a_long_one() {
    let server = Server::start(&[]);
    let long = (0..1000).map(|number| format!("De brug is {number} meter lang. ")).collect::<Vec<_>>().concat();
    thread::scope(|scope| {
        let long = scope.spawn(|| server.json("/digest", &json!({ "q": long })).status);
        while server.get("/metrics").body.contains("kortom_texts_total 0") {
            thread::yield_now();
        }
        server.json("/translate", &json!({ "q": "Ja.", "source": "nl", "target": "en" })).good();
        assert!(!long.is_finished());
        assert_eq!(long.join().unwrap(), 200);
    });
}

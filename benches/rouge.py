"""ROUGE of kortom's extractive summaries beside lead-3 and plain TextRank, on articles with reference summaries.

    python benches/rouge.py --kortom target/release/kortom

Needs Python only. The articles, and the references that were written before any output was seen, are
`tests/fixtures/summaries/articles.jsonl`. Every system chooses three sentences (`--sentences`). ROUGE-1, -2 and -L are F1 of lowercase
words without stemming, in percent, the mean over the articles. Odd articles are the half that constants were chosen on; even ones
were only looked at afterwards. In brackets: how many articles kortom gets a better, an equal and a worse mean of the three.
"""

import argparse
import collections
import json
import math
import pathlib
import re
import subprocess

ARTICLES = pathlib.Path(__file__).parent.parent / "tests/fixtures/summaries/articles.jsonl"


def words(text):
    return re.findall(r"\w+", text.lower())


def f1(overlap, found, wanted):
    return 2 * overlap / (found + wanted) if found + wanted else 0.0


def rouge_n(found, wanted, n):
    count = lambda tokens: collections.Counter(zip(*(tokens[i:] for i in range(n))))
    found, wanted = count(found), count(wanted)
    return f1(sum((found & wanted).values()), found.total(), wanted.total())


def rouge_l(found, wanted):
    row = [0] * (len(wanted) + 1)
    for word in found:
        diagonal = 0
        for at, other in enumerate(wanted, 1):
            diagonal, row[at] = row[at], diagonal + 1 if word == other else max(row[at], row[at - 1])
    return f1(row[-1], len(found), len(wanted))


def rouge(found, wanted):
    found, wanted = words(found), words(wanted)
    return [100 * x for x in (rouge_n(found, wanted, 1), rouge_n(found, wanted, 2), rouge_l(found, wanted))]


def sentences(article):
    """The articles are plain prose without abbreviations, so this is exact on them."""
    paragraphs = article["text"].split("\n\n")
    return [s for p in paragraphs for s in re.split(r"(?<=[.!?])[\"']?\s+(?=[\"'A-Z])|(?<=[.!?][\"'])\s+", p)]


def lead(article, count):
    return sentences(article)[:count]


def textrank(article, count):
    """Mihalcea and Tarau, 2004: shared words over the logarithms of the lengths, PageRank with 0.85."""
    texts = sentences(article)
    bags = [words(text) for text in texts]
    def likeness(a, b):
        norm = math.log(len(a) or 1) + math.log(len(b) or 1)
        return len(set(a) & set(b)) / norm if norm > 0 else 0.0
    graph = [[likeness(a, b) if a is not b else 0.0 for b in bags] for a in bags]
    out = [sum(row) for row in graph]
    rank = [1.0] * len(texts)
    for _ in range(100):
        rank = [0.15 + 0.85 * sum(rank[j] * graph[j][i] / out[j] for j in range(len(texts)) if out[j]) for i in range(len(texts))]
    best = sorted(sorted(range(len(texts)), key=lambda i: -rank[i])[:count])
    return [texts[i] for i in best]


def kortom(binary, articles, count):
    found = {}
    for language in sorted({article["language"] for article in articles}):
        mine = [article for article in articles if article["language"] == language]
        records = "".join(json.dumps({"id": article["id"], "text": article["text"]}) + "\n" for article in mine)
        command = [binary, "summarize", "--input-format", "jsonl", "--from", language, "--method", "extractive"]
        command += ["--summary-length", str(count), "--format", "jsonl", "--quiet"]
        output = subprocess.run(command, input=records, capture_output=True, text=True, check=True).stdout
        found |= {record["id"]: record["summary"] for record in map(json.loads, output.splitlines())}
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kortom", required=True)
    parser.add_argument("--sentences", type=int, default=3)
    parser.add_argument("--articles", type=pathlib.Path, default=ARTICLES)
    arguments = parser.parse_args()
    articles = [json.loads(line) for line in arguments.articles.read_text().splitlines()]
    count = arguments.sentences
    chosen = kortom(arguments.kortom, articles, count)
    systems = {
        "lead": [rouge(" ".join(lead(a, count)), a["summary"]) for a in articles],
        "TextRank": [rouge(" ".join(textrank(a, count)), a["summary"]) for a in articles],
        "kortom": [rouge(chosen[a["id"]], a["summary"]) for a in articles],
    }
    halves = {"all": range(len(articles)), "tuned on": range(0, len(articles), 2), "held out": range(1, len(articles), 2)}
    print("| articles | system | ROUGE-1 | ROUGE-2 | ROUGE-L | kortom better/equal/worse |\n|---|---|---|---|---|---|")
    for half, places in halves.items():
        for name, scores in systems.items():
            means = [sum(scores[i][k] for i in places) / len(places) for k in range(3)]
            sign = lambda i: (sum(systems["kortom"][i]) > sum(scores[i])) - (sum(systems["kortom"][i]) < sum(scores[i]))
            won = collections.Counter(sign(i) for i in places)
            against = "" if name == "kortom" else f"{won[1]}/{won[0]}/{won[-1]}"
            print(f"| {half} ({len(places)}) | {name} | " + " | ".join(f"{m:.1f}" for m in means) + f" | {against} |")


if __name__ == "__main__":
    main()

"""`kortom serve` under load, beside the same articles through the command line in one batch.

    python benches/load.py --kortom target/release/kortom                  # throughput and latency at 1, 8 and 64 connections
    python benches/load.py --kortom target/release/kortom --minutes 10     # and memory, sampled every ten seconds
    python benches/load.py --kortom target/release/kortom --storm 1000     # and so many requests at the same moment

Needs Python only, and Linux. Articles have as many sentences as those in `examples/` (`--sentences` for others), no two of which are alike;
every answer is compared with what the command line made of the article, after the round, and one that differs ends the run. A connection asks for a digest, waits for it and asks for the next. What the
command line needs to start is taken off its time. A rate is that of the steady state: answers from the first of each connection on
average to the moment when no request is left to be sent; the whole time, with the start and the last few requests, stands beside it.
`--rounds` repeats all in turn; rates are medians. Processor time says something on a machine that does other work too.
"""

import argparse
import collections
import concurrent.futures
import itertools
import json
import os
import pathlib
import random
import re
import resource
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time

import batch

# What must be the same in both.
COMPARED = ["translation", "summary", "segments"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kortom", type=pathlib.Path, default=batch.ROOT / "target/release/kortom")
    parser.add_argument("--articles", type=int, default=200)
    parser.add_argument("--sentences", type=int, default=20, help="of an article; its headings are two more")
    parser.add_argument("--connections", type=int, nargs="*", default=[1, 8, 64])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=0, help="of load on the most connections, to watch the memory")
    parser.add_argument("--storm", type=int, default=0, help="requests at the same moment")
    parser.add_argument("--arguments", nargs=argparse.REMAINDER, default=[], help="all that follows is for digest and serve")
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kortom-load-"))
    try:
        make(folder, options.articles, options.sentences)
        server, port = serve(options, folder)
        try:
            measure(options, folder, server, port)
        finally:
            server.kill()
    finally:
        shutil.rmtree(folder)


def make(folder, count, length):
    """Articles of which no two sentences are alike: kortom translates equal sentences of one run once."""
    draw, sentences = random.Random(1), [sentence for sentence in batch.pool() if sentence.endswith(".")]
    with open(folder / "articles.jsonl", "w") as records:
        for number in range(count):
            drawn = [f"{sentence[:-1]}, zegt getuige {number}." for sentence in draw.sample(sentences, length)]
            first, second = (" ".join(half) for half in (drawn[: length // 2], drawn[length // 2 :]))
            text = f"Bericht {number}\n\n{first}\n\nVervolg van bericht {number}\n\n{second}\n"
            records.write(json.dumps({"id": number, "text": text}) + "\n")


def environment(folder):
    """One in which kortom knows no models and settings but its own."""
    own = {name: str(folder) for name in ["HF_HOME", "HF_HUB_CACHE", "KORTOM_MODELS", "XDG_CONFIG_HOME"]}
    return {**os.environ, **own}


def serve(options, folder):
    """A server and its port."""
    command = [options.kortom, "serve", "--port", "0", *options.arguments]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment(folder))
    for line in server.stderr:
        if found := re.search(r"listening on http://127\.0\.0\.1:(\d+)", line):
            return server, int(found[1])
    raise SystemExit(f"{command} ended with {server.wait()}")


def digest(options, folder, records):
    """What the command line makes of all articles; how many seconds that takes, on the clock and of processors."""
    command = [options.kortom, "digest", "--input-format", "jsonl", "--format", "jsonl", "--quiet", *options.arguments]
    begin, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    made = subprocess.run(command, input=records, stdout=subprocess.PIPE, text=True, check=True, env=environment(folder))
    seconds, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return [json.loads(line) for line in made.stdout.splitlines()], seconds, worked


def measure(options, folder, server, port):
    lines = (folder / "articles.jsonl").read_text().splitlines(keepends=True)
    requests = [head(json.dumps({"q": json.loads(line)["text"]}).encode()) for line in lines]
    rates, whole, costs, latencies = (collections.defaultdict(list) for _ in range(4))
    for _ in range(options.rounds):
        _, start, starting = digest(options, folder, lines[0])
        expected, seconds, worked = digest(options, folder, "".join(lines))
        rates[0].append((len(lines) - 1) / (seconds - start))
        costs[0].append((worked - starting) / (len(lines) - 1))
        for connections in options.connections:
            before, answers = processor(server.pid), []
            spans = load(port, requests, connections, iter(range(len(lines))), lambda *came: answers.append(came))
            # Not before: whoever asks shares the processor with the server.
            for number, status, body in answers:
                check(status, body, expected[number])
            costs[connections].append((processor(server.pid) - before) / len(lines))
            latencies[connections] += [end - begin for begin, end in spans]
            rates[connections].append(steady(spans, connections))
            whole[connections].append(overall(spans))
    table(options, rates, whole, costs, latencies, sum(len(report["segments"]) for report in expected) / len(expected))
    if options.storm:
        storm(port, requests, expected, options.storm)
    if options.minutes:
        remember(options, server, port, requests, expected)


def steady(spans, connections):
    """Answers per second while all connections ask; of so few that there is hardly such a time, all answers in all the time."""
    if len(spans) < 4 * connections:
        return overall(spans)
    ends = sorted(end for _, end in spans)
    first, last = ends[connections - 1], max(begin for begin, _ in spans)
    return sum(first < end <= last for end in ends) / (last - first)


def overall(spans):
    """Answers per second from the first request to the last answer."""
    return len(spans) / (max(end for _, end in spans) - min(begin for begin, _ in spans))


def table(options, rates, whole, costs, latencies, sentences):
    command_line = statistics.median(rates[0])
    print(f"{options.articles} articles, {sentences:.1f} sentences each, {options.rounds} rounds")
    print("| connections | articles/s | sentences/s | of the command line | start and end too | processor per article | p50 | p99 |")
    print("|---|---|---|---|---|---|---|---|")
    cost = {connections: f"{statistics.median(costs[connections]) * 1000:.0f} ms" for connections in costs}
    print(f"| command line | {command_line:.2f} | {command_line * sentences:.0f} | | | {cost[0]} | | |")
    for connections in options.connections:
        rate, taken = statistics.median(rates[connections]), sorted(latencies[connections])
        at = [f"{taken[int(share * (len(taken) - 1))]:.2f} s" for share in (0.5, 0.99)]
        shares = f"{share(rates[connections], rates[0])} | {share(whole[connections], rates[0])}"
        print(f"| {connections} | {rate:.2f} | {rate * sentences:.0f} | {shares} | {cost[connections]} | {at[0]} | {at[1]} |", flush=True)


def share(rates, of):
    """The median of rates beside that of others, and each beside its own."""
    single = ", ".join(f"{one / base:.2f}" for one, base in zip(rates, of))
    return f"{statistics.median(rates) / statistics.median(of):.2f} ({single})"


def head(body):
    fields = f"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"POST /digest HTTP/1.1\r\n{fields}\r\n".encode() + body


def load(port, requests, connections, numbers, heard):
    """Asks for all numbered articles over so many connections; when each request was sent and answered. `heard` gets its
    number, the status and the body."""
    spans, failed, lock = [], threading.Event(), threading.Lock()

    def following():
        with lock:
            return None if failed.is_set() else next(numbers, None)

    def ask(_):
        try:
            with connection(port) as server:
                while (number := following()) is not None:
                    begin = time.monotonic()
                    status, body = answer(server, requests[number])
                    spans.append((begin, time.monotonic()))
                    heard(number, status, body)
        except BaseException:
            # The others need not go on.
            failed.set()
            raise

    at_once(connections, ask)
    return spans


def at_once(count, ask):
    """What comes of so many calls side by side. Threads that wait for a socket, since what they do themselves is taken from the server: of
    asyncio's streams an answer cost three times as much."""
    with concurrent.futures.ThreadPoolExecutor(count) as threads:
        return list(threads.map(ask, range(count)))


def connection(port):
    server = socket.create_connection(("127.0.0.1", port))
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return server


def answer(server, request):
    """The status and the body of the answer to a request."""
    server.sendall(request)
    came = bytearray()
    while (end := came.find(b"\r\n\r\n")) < 0:
        receive(server, came)
    fields, start = bytes(came[:end]).lower(), end + 4
    length = int(re.search(rb"content-length: (\d+)", fields)[1])
    while len(came) < start + length:
        receive(server, came)
    return int(fields.split()[1]), bytes(came[start:])


def receive(server, came):
    more = server.recv(1 << 20)
    if not more:
        raise SystemExit("the server ended a connection in the middle of an answer")
    came += more


def check(status, body, expected):
    if status != 200:
        raise SystemExit(f"the server answered {status}: {body.decode()}")
    found = json.loads(body)
    for field in COMPARED:
        if found[field] != expected[field]:
            raise SystemExit(f"{field} differs from the command line's\nserver: {found[field]}\nthere:  {expected[field]}")


def storm(port, requests, expected, count):
    """Many requests at once: each is answered rightly or told to come back."""

    def ask(number):
        with connection(port) as server:
            status, body = answer(server, requests[number % len(requests)])
        if status != 503:
            check(status, body, expected[number % len(requests)])
        return status

    begin = time.monotonic()
    statuses = collections.Counter(at_once(count, ask))
    told = ", ".join(f"{number} of status {status}" for status, number in statuses.items())
    print(f"{count} requests at once: {told}, in {time.monotonic() - begin:.1f} s", flush=True)


def remember(options, server, port, requests, expected):
    """The server's memory while it is kept busy."""
    end = time.monotonic() + 60 * options.minutes
    numbers = itertools.takewhile(lambda _: time.monotonic() < end, itertools.cycle(range(len(requests))))
    heard = lambda number, status, body: check(status, body, expected[number])
    sizes = []
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        working = threads.submit(load, port, requests, max(options.connections), numbers, heard)
        while not working.done():
            concurrent.futures.wait([working], timeout=10)
            sizes.append(resident(server.pid))
    answered = len(working.result())
    first, last = statistics.mean(sizes[:6]), statistics.mean(sizes[-6:])
    print(f"{answered} articles in {options.minutes:g} minutes: resident {first:.0f} MiB in the first minute, {last:.0f} MiB in the last")
    print("every ten seconds:", *(f"{size:.0f}" for size in sizes))


def processor(process):
    """Seconds of processors that a process has used."""
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(process):
    """Resident memory in MiB."""
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


if __name__ == "__main__":
    main()

"""The Spark job for real: a local cluster of several worker processes, of which one, and later the driver, is killed with -9.

    pip install pyspark==4.0.1          # needs Java 17 or 21
    cargo build --release
    python examples/spark/test.py

Everything it reads, it makes. It ends with 0 if nothing was lost, nothing is there twice, and every column of every
record is what one process of kortom makes of all records together.
"""

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import digest

PARTS = 24
PLACES = "Zwolle Breda Assen Gouda Venlo Hoorn Delft Goes Tiel Ede Weert Sneek Almelo Zeist Hulst Emmen".split()
WHO = ["De gemeente", "De provincie", "Het waterschap", "De school", "Het ziekenhuis", "De politie", "De vereniging"]
DOES = [
    "bouwt {n} nieuwe woningen in {p}",
    "sluit volgend jaar {n} kantoren in {p}",
    "zoekt {n} vrijwilligers voor het feest in {p}",
    "plant in {p} {n} bomen langs de weg",
    "geeft {n} euro aan het museum van {p}",
    "wil dat {n} bussen per dag naar {p} rijden",
]
WHY = [
    "Volgens de burgemeester is dat hard nodig.",
    "De bewoners zijn er niet blij mee.",
    "Vorig jaar waren het er nog {m}.",
    "Het werk is op {d} mei klaar.",
    "De oppositie noemt het plan te duur.",
]
BROKEN = [b'{"id": "broken-%d", "text": ', b'{"id": "none-%d"}', b'{"id": "list-%d", "text": []}', b'{"id": "latin-%d", "text": "caf\xe9"}']


def main():
    options = arguments()
    work = Path(tempfile.mkdtemp(prefix="kortom-spark-"))
    records = made(options.records)
    articles = work / "articles"
    articles.mkdir()
    for n in range(8):
        (articles / f"{n}.jsonl").write_bytes(b"\n".join(records[n::8]) + b"\n")
    expected, seconds = alone(options.kortom, records)
    print(f"one process: {len(records)} records in {seconds:.1f} s, {len(records) / seconds / options.threads * 3600:.0f} per core-hour")
    job = ["--input", f"{articles}/*.jsonl", "--output", str(work / "digested"), "--parts", str(PARTS)]

    begin = time.monotonic()
    said = run(options, job, killing=work / "digested")
    print(f"cluster: {time.monotonic() - begin:.1f} s with one executor killed")
    check("Lost executor" in said or "ExecutorLostFailure" in said, "Spark did not notice that an executor is gone")
    check(f"{PARTS} of {PARTS} partitions to do" in said, said)
    compare(work / "digested", expected)

    before = files(work / "digested")
    said = run(options, job)
    check(f"0 of {PARTS} partitions to do" in said, said)
    check(files(work / "digested") == before, "a second run changed something")
    lost = sorted((work / "digested").glob("part=*"))[:2]
    rows_before = [ordered(folder) for folder in lost]
    for folder in lost:
        shutil.rmtree(folder)
    said = run(options, job)
    check(f"2 of {PARTS} partitions to do" in said, said)
    check([ordered(folder) for folder in lost] == rows_before, "a partition made again is another")
    kept = {path: file for path, file in before.items() if Path(path).parent not in lost}
    check(kept.items() <= files(work / "digested").items(), "a partition that was there was touched")
    compare(work / "digested", expected)
    check("of another job" in run(options, [*job, "--options", "--beam-size", "1"], code=1), "other settings were not noticed")

    resumed(options, work, records, expected)
    from_table(options, work, expected)
    shutil.rmtree(work)
    print("all as it should be")


def resumed(options, work, records, expected):
    """A quarter of the records, in a job whose driver is killed and which is run again."""
    some = {record for n in (0, 1) for record in records[n::8]}
    job = ["--input", f"{work}/articles/[01].jsonl", "--output", str(work / "resumed"), "--parts", str(PARTS)]
    run(options, job, killing=work / "resumed", kill=kill_driver, code=-signal.SIGKILL)
    said = run(options, job)
    todo = int(re.search(rf"(\d+) of {PARTS} partitions to do", said)[1])
    check(0 < todo < PARTS, f"{todo} of {PARTS} partitions were left")
    compare(work / "resumed", Counter({row: count for row, count in expected.items() if row[-1] in some}))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kortom", type=Path, default=HERE.parents[1] / "target/release/kortom")
    parser.add_argument("--records", type=int, default=2400)
    parser.add_argument("--master", default="local-cluster[3,1,1024]")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="cores that the one process has")
    return parser.parse_args()


def made(count):
    """Records of two or three sentences; a few are broken."""
    draw = random.Random(1)
    records = []
    for n in range(count):
        if n % 150 == 75:
            records.append(BROKEN[n // 150 % len(BROKEN)].replace(b"%d", str(n).encode()))
            continue
        sentences = [f"{draw.choice(WHO)} {draw.choice(DOES)}.", *draw.sample(WHY, draw.randint(1, 2))]
        values = {"n": draw.randint(2, 900), "m": draw.randint(2, 900), "d": draw.randint(1, 31), "p": draw.choice(PLACES)}
        text = " ".join(sentence.format(**values) for sentence in sentences)
        records.append(json.dumps({"id": f"a{n}", "text": text, "year": 1990 + n % 30}, ensure_ascii=False).encode())
    return records


def alone(kortom, records):
    """All records through one process, as rows."""
    command = [kortom, "digest", "--input-format", "jsonl", "--format", "jsonl", "--offline", "--quiet"]
    with tempfile.TemporaryDirectory() as home:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "KORTOM_", "XDG_"))}
        begin = time.monotonic()
        ran = subprocess.run(command, input=b"\n".join(records), capture_output=True, env={**kept, "HOME": home}, check=False)
        seconds = time.monotonic() - begin
    check(ran.returncode == 1, f"{ran.returncode}: {ran.stderr.decode()[-500:]}")
    lines = ran.stdout.splitlines()
    check(len(lines) == len(records), f"{len(lines)} lines for {len(records)} records")
    version = subprocess.run([kortom, "--version"], capture_output=True, check=True, text=True).stdout.split()[-1]
    rows = (digest.row(0, record, json.loads(line), "text", version)[1:] for record, line in zip(records, lines))
    return Counter(map(frozen, rows)), seconds


def run(options, job, killing=None, kill=None, code=0, more=()):
    """The job on a cluster of its own; with `killing`, a process is killed once a few partitions are there."""
    submit = Path(__import__("pyspark").__file__).parent / "bin/spark-submit"
    command = [submit, "--master", options.master, "--conf", "spark.executor.memory=512m", "--driver-memory", "1g"]
    command += ["--conf", "spark.ui.enabled=false", "--files", options.kortom, *more, HERE / "digest.py"]
    command += ["--kortom", options.kortom.name, *job]
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    environment["SPARK_WORKER_DIR"] = tempfile.mkdtemp(prefix="kortom-spark-workers-")
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        if killing:
            (kill or kill_executor)(process, killing)
        process.wait()
        log.seek(0)
        said = log.read().decode(errors="replace")
    shutil.rmtree(environment["SPARK_WORKER_DIR"])
    check(process.returncode == code, f"spark-submit ended with {process.returncode}:\n{said[-4000:]}")
    return said


def kill_executor(process, output):
    """Kills one executor with all that it works on."""
    done = some_done(process, output)
    executors = [pid for pid in descendants(process.pid) if b"CoarseGrainedExecutorBackend" in command_line(pid)]
    os.kill(executors[0], signal.SIGKILL)
    print(f"killed executor {executors[0]} of {len(executors)} with {done} of {PARTS} partitions done")


def kill_driver(process, output):
    """Kills the driver, whose executors then find that it is gone."""
    done = some_done(process, output)
    executors = [pid for pid in descendants(process.pid) if b"CoarseGrainedExecutorBackend" in command_line(pid)]
    process.kill()
    print(f"killed the driver with {done} of {PARTS} partitions done")
    while any(b"CoarseGrainedExecutorBackend" in command_line(pid) for pid in executors):
        time.sleep(0.1)


def some_done(process, output):
    """How many partitions are there, as soon as they are a few and yet not nearly all."""
    while len(list(output.glob("part=*"))) < 3:
        check(process.poll() is None, f"spark-submit ended with {process.returncode}")
        time.sleep(0.1)
    done = len(list(output.glob("part=*")))
    check(done <= PARTS - 6, f"{done} of {PARTS} partitions were done already")
    return done


def descendants(pid):
    children = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(status.parent.name))
    found, todo = [], [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def compare(output, expected):
    found = rows(output)
    check(sum(found.values()) == sum(expected.values()), f"{sum(found.values())} rows for {sum(expected.values())} records")
    lost, new = expected - found, found - expected
    check(not lost and not new, f"{sum(lost.values())} lost or changed:\n{list(lost)[:1]}\n{list(new)[:1]}")


def session():
    from pyspark.sql import SparkSession

    return SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()


def rows(output):
    """All rows of an output, without the partition they are in."""
    names = [field.name for field in digest.SCHEMA.fields if field.name != "part"]
    found = session().read.parquet(str(output)).select(names).collect()
    return Counter(frozen(tuple(row)) for row in found)


def ordered(partition):
    """The rows of one partition as they stand there. Not its bytes: Parquet lists the encodings of a column in any order."""
    return [frozen(tuple(row)) for row in session().read.parquet(str(partition)).collect()]


def from_table(options, work, expected):
    """Some of the records as a table of Parquet, whose columns are the fields."""
    records = session().read.json(f"{work}/articles/*.jsonl").where("id like 'a%'").orderBy("id").limit(100)
    records.select("id", "text", "year").write.parquet(str(work / "table"))
    run(options, ["--input", str(work / "table"), "--output", str(work / "from-table"), "--parts", "4"])
    found = stripped(rows(work / "from-table"))
    check(sum(found.values()) == 100 and not found - stripped(expected), "a table of Parquet gives something else")

    # The same model once more, shipped beside the binary.
    shutil.make_archive(str(work / "model"), "gztar", HERE.parents[1] / "models/kortom-nl-en")
    shipped = ["--archives", f"{work}/model.tar.gz#shipped"]
    table = ["--input", str(work / "table"), "--output", str(work / "with-model"), "--parts", "4", "--model", "shipped"]
    run(options, table, more=shipped)
    names = [field.name for field in digest.SCHEMA.fields if field.name not in ("part", "model")]
    both = [session().read.parquet(str(work / output)) for output in ("from-table", "with-model")]
    found, shipped = (Counter(frozen(tuple(row)) for row in table.select(names).collect()) for table in both)
    check(found == shipped, "a model from an archive gives something else than the same one in the binary")
    model = {row.model for row in both[1].select("model").collect()}
    check(model == {"shipped"}, f"the model is called {model}")


def stripped(rows):
    """Rows without the record as it was written."""
    found = Counter()
    for row, count in rows.items():
        found[row[:-1]] += count
    return found


def frozen(value):
    if isinstance(value, (list, tuple)):
        return tuple(frozen(each) for each in value)
    return bytes(value) if isinstance(value, bytearray) else value


def files(output):
    return {str(path): (path.stat().st_mtime_ns, hashed(path)) for path in sorted(output.rglob("part=*/*.parquet"))}


def hashed(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check(holds, otherwise):
    if not holds:
        sys.exit(f"error: {otherwise}")


if __name__ == "__main__":
    main()

"""Digests a table of articles with kortom on a Spark cluster, partition by partition.

    spark-submit --files target/release/kortom examples/spark/digest.py --input news.parquet --output digested

A record belongs to one of `--parts` partitions by a hash of itself, so a partition is the same whenever and wherever it is
computed. Each is the work of one task: a process of kortom with as many threads as the task has cores, records in, lines out.
What it makes of a record depends on no other record, so a task that is tried again writes the same rows. A finished partition
is a folder `part=N` of the output that appears by one renaming; the next run leaves it alone.
"""

import argparse
import hashlib
import itertools
import json
import os
import subprocess
import sys
import threading

from pyspark import SparkFiles, TaskContext
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    DoubleType,
    IntegerType,
    StringType,
    StructField,
    StructType,
)

SEGMENT = StructType(
    [
        StructField("source", StringType()),
        StructField("target", StringType()),
        StructField("score", DoubleType()),
        StructField("flags", ArrayType(StringType())),
    ]
)
SCHEMA = StructType(
    [
        StructField("part", IntegerType()),
        StructField("id", StringType()),
        StructField("text", StringType()),
        StructField("translation", StringType()),
        StructField("summary", StringType()),
        StructField("flags", ArrayType(StringType())),
        StructField("segments", ArrayType(SEGMENT)),
        StructField("warnings", ArrayType(StringType())),
        StructField("model", StringType()),
        StructField("summary_model", StringType()),
        StructField("version", StringType()),
        StructField("error", StringType()),
        # What the record was: where it is broken nothing else holds it, and other columns of the table are in it.
        StructField("record", BinaryType()),
    ]
)


def main():
    options = arguments()
    spark = SparkSession.builder.appName("kortom digest").getOrCreate()
    # A task's output is in place when the task ends, not when all of them have: what is done stays done.
    spark.conf.set("mapreduce.fileoutputcommitter.algorithm.version", "2")
    done = finished(spark, options)
    todo = [part for part in range(options.parts) if part not in done]
    print(f"{len(todo)} of {options.parts} partitions to do", file=sys.stderr)
    if todo:
        digest(spark, options, todo)
    spark.stop()


def arguments():
    parser = argparse.ArgumentParser(description="digest a table of articles with kortom")
    parser.add_argument("--input", required=True, help="Parquet or JSONL: a file, a folder or a pattern")
    parser.add_argument("--input-format", choices=["parquet", "jsonl"], help="default: by the name")
    parser.add_argument("--output", required=True, help="folder for Parquet, one folder in it for each partition")
    parser.add_argument("--parts", type=int, default=1000, help="partitions, the same in every run (default 1000)")
    parser.add_argument("--field", default="text", help="column or field that holds the article (default text)")
    parser.add_argument("--kortom", default="kortom", help="name of the binary among --files (default kortom)")
    parser.add_argument("--model", help="folder of the model among --archives (default: kortom's own choice)")
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=[], help="all that follows is for kortom digest")
    options = parser.parse_args()
    if options.input_format is None:
        options.input_format = "jsonl" if options.input.rstrip("/*").endswith((".jsonl", ".jsonl.gz")) else "parquet"
    return options


def digest(spark, options, todo):
    place = {part: index for index, part in enumerate(todo)}
    part = F.pmod(F.xxhash64("record"), F.lit(options.parts)).cast("int")
    records = table(spark, options).select(part.alias("part"), "record").where(F.col("part").isin(todo))
    pairs = records.rdd.map(lambda row: ((row.part, bytes(row.record)), None))
    # Sorted, so that a partition is the same whichever of its sources came first.
    parts = pairs.repartitionAndSortWithinPartitions(len(todo), lambda key: place[key[0]]).keys()
    command = [options.kortom, options.model, options.field, *options.options]
    rows = parts.mapPartitions(lambda keys: digested(keys, command))
    spark.createDataFrame(rows, SCHEMA).write.partitionBy("part").mode("append").parquet(options.output)


def table(spark, options):
    """All records, each the bytes of a JSON object on one line."""
    if options.input_format == "parquet":
        rows = spark.read.parquet(options.input)
        return rows.select(F.to_json(F.struct(*rows.columns)).cast("binary").alias("record"))
    # As bytes: what is not UTF-8 is for kortom to find, not for Spark to replace.
    lines = spark.read.text(options.input).select(F.col("value").cast("binary").alias("record"))
    return lines.where(F.length(F.trim(F.col("record").cast("string"))) > 0)


def digested(keys, command):
    """What a process of kortom makes of one partition."""
    first = next(keys, None)
    if first is None:
        return
    binary, model, field, *options = command
    context = TaskContext.get()
    threads = context.cpus() if context else os.cpu_count()
    binary = SparkFiles.get(binary)
    arguments = [binary, "digest", "--input-format", "jsonl", "--format", "jsonl", "--field", field, "--offline", "--quiet"]
    arguments += ["--threads", str(threads), *options]
    if model:
        arguments += ["--model", SparkFiles.get(model)]
    version = subprocess.run([binary, "--version"], capture_output=True, check=True, text=True).stdout.split()[-1]
    # Nothing of the machine's: the same settings and models everywhere.
    process = subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    sent, said, failed = [], [], []
    writer = threading.Thread(target=write, args=(process.stdin, itertools.chain([first], keys), sent, failed), daemon=True)
    listener = threading.Thread(target=lambda: said.extend(process.stderr.read().splitlines()[-20:]), daemon=True)
    writer.start()
    listener.start()
    count = 0
    try:
        for line in process.stdout:
            part, record = sent[count]
            # Only what is under way is kept.
            sent[count] = None
            count += 1
            report = json.loads(line)
            if model:
                # Not the folder, which is another one on each machine.
                report["models"]["translation"] = model
            yield row(part, record, report, field, version)
        code = process.wait()
    finally:
        process.kill()
    writer.join()
    listener.join()
    if failed:
        raise failed[0]
    # 1: some records have an error, which is in their rows.
    if code not in (0, 1) or count != len(sent):
        told = b"\n".join(said).decode(errors="replace")
        raise RuntimeError(f"kortom ended with {code} after {count} of {len(sent)} records: {told}")


def write(pipe, keys, sent, failed):
    try:
        for key in keys:
            sent.append(key)
            pipe.write(key[1].rstrip(b"\r\n") + b"\n")
            pipe.flush()
        pipe.close()
    except BrokenPipeError:
        # It has ended; how, its exit code says.
        pass
    except Exception as error:
        # Without all records the partition must not look complete.
        failed.append(error)
        pipe.close()


def environment():
    """That of the executor, without what would have kortom find other models or settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "KORTOM_", "XDG_"))}
    nowhere = os.path.join(SparkFiles.getRootDirectory(), "no-such-home")
    return {**kept, "HOME": nowhere}


def row(part, record, report, field, version):
    """One object of kortom's as a row of the output."""
    flags = {flag for segment in report["segments"] for flag in segment["flags"]} | set(report["summary_flags"])
    text = report.get(field)
    return (
        part,
        own_id(record),
        text if isinstance(text, str) else None,
        report["translation"],
        report["summary"],
        sorted(flags),
        [(each["source"], each["target"], each["score"], each["flags"]) for each in report["segments"]],
        report["warnings"],
        report["models"]["translation"],
        report["models"]["summary"],
        version,
        # A record's own field of that name is no failure.
        report.get("error") if report["translation"] is None else None,
        record,
    )


def own_id(record):
    """What the record calls itself; what kortom calls one without a name depends on its place."""
    try:
        own = json.loads(record)["id"]
    except (ValueError, TypeError, LookupError):
        return None
    return own if isinstance(own, str) else json.dumps(own)


def finished(spark, options):
    """The partitions that former runs of the same job finished."""
    java = spark.sparkContext._jvm
    folder = java.org.apache.hadoop.fs.Path(options.output)
    files = folder.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration())
    job = java.org.apache.hadoop.fs.Path(folder, "_job.json")
    wanted = description(spark, options)
    if files.exists(job):
        stream = files.open(job)
        found = java.org.apache.commons.io.IOUtils.toString(stream, "UTF-8")
        stream.close()
        if found != wanted:
            sys.exit(f"error: {options.output} is of another job\nwas: {found}\nis:  {wanted}\nhint: choose another --output")
    else:
        stream = files.create(job)
        stream.write(wanted.encode())
        stream.close()
    names = [status.getPath().getName() for status in files.listStatus(folder)]
    return {int(name.removeprefix("part=")) for name in names if name.startswith("part=")}


def description(spark, options):
    """All that the output depends on."""
    with open(SparkFiles.get(options.kortom), "rb") as binary:
        kortom = hashlib.sha256(binary.read()).hexdigest()
    java = spark.sparkContext._jvm
    path = java.org.apache.hadoop.fs.Path(options.input)
    files = path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration())
    inputs = []
    for found in files.globStatus(path) or []:
        for each in files.listStatus(found.getPath()):
            inputs.append([each.getPath().getName(), each.getLen()])
    job = {name: getattr(options, name) for name in ["input_format", "parts", "field", "model", "options"]}
    return json.dumps({**job, "kortom": kortom, "inputs": sorted(inputs)})


if __name__ == "__main__":
    main()

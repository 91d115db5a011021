"""From the start of a process to the first English word, warm.

    python benches/start.py --kortom target/release/kortom
    python benches/start.py --kortom target/release/kortom --model ~/kortom-bench/opus-mt/checkpoint

Translates one short sentence with the built-in model, or another in int8 from its stored weights. The time is counted
outside of the program, from before it is started to the first byte of its output; the program's own is what
`--timings` says. Two runs before make everything warm. `--beside` takes turns with another program and adds the
ratio within each round. See README.md beside this file.
"""

import argparse
import datetime
import re
import statistics
import subprocess
import time

import compare

SENTENCE = "De kat zit op de mat.\n"


def run(kortom, arguments):
    """Milliseconds to the first byte, and those that `--timings` says."""
    command = [kortom, "translate", "--timings", "--threads", str(arguments.threads)]
    # Random weights never end a text by themselves.
    command += ["--model", arguments.model, "--max-length", "8"] if arguments.model else []
    begin = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdin.write(SENTENCE.encode())
        process.stdin.close()
        process.stdout.read(1)
        first = 1000 * (time.perf_counter() - begin)
        process.stdout.read()
        said = process.stderr.read().decode()
    if process.returncode != 0:
        raise SystemExit(said)
    own = re.search(r"first word after (\d+) ms", said)
    return first, float(own[1]) if own else None


def spread(values, digits):
    """The median with the smallest and the largest."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def main():
    """Measures, and prints a line for each program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kortom", required=True, help="the binary, built with --release")
    parser.add_argument("--beside", help="another binary")
    parser.add_argument("--model", help="a folder, instead of the built-in model")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    programs = [program for program in (arguments.kortom, arguments.beside) if program]
    found = {program: [] for program in programs}
    for number in range(-2, arguments.rounds):
        for program in programs if number % 2 else reversed(programs):
            measured = run(program, arguments)
            if number >= 0:
                found[program].append(measured)
    print(f"{datetime.date.today()}, {compare.machine('cpu')}; {arguments.threads} threads, {arguments.rounds} rounds")
    for program in programs:
        own = [said for _, said in found[program] if said is not None]
        print(f"{program}: {spread([first for first, _ in found[program]], 0)} ms to the first word"
              + (f", by its own clock {spread(own, 0)} ms" if own else ""))
    if arguments.beside:
        ratios = [one / other for (one, _), (other, _) in zip(*found.values())]
        print(f"ratio: {spread(ratios, 2)}")


if __name__ == "__main__":
    main()

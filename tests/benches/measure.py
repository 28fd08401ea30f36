#!/usr/bin/env python3
"""Runs commands several times in turn and prints a row of a Markdown table for each.

    measure.py --runs N --label TEXT --baseline NAME [--expect CODE] NAME=COMMAND...

The first round is not counted: it fills the file cache. Commands take turns, so that a busy moment of
the machine meets all of them. CPU is user + system time, peak RSS the largest of the runs, as the
kernel counts them for the finished child (wait4). A child starts with this program's own size, so
that values below some 12 MiB are not told apart.
"""
import argparse
import os
import shlex
import statistics
import sys
import tempfile
import time

HEADER = """\
| corpus | tool | CPU s, median [min–max] | wall s, median | peak RSS MiB | CPU : {0} | wall : {0} | RSS : {0} |
|---|---|---|---|---|---|---|---|"""

# ru_maxrss is in KiB on Linux and in bytes on macOS.
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Run:
    """What one run of a command took: seconds and bytes."""

    def __init__(self, command, expected):
        with tempfile.TemporaryFile() as output:
            began = time.monotonic()
            pid = os.posix_spawnp(
                command[0],
                command,
                os.environ,
                file_actions=[(os.POSIX_SPAWN_DUP2, output.fileno(), 1), (os.POSIX_SPAWN_DUP2, output.fileno(), 2)],
            )
            _, status, usage = os.wait4(pid, 0)
            self.wall = time.monotonic() - began
            self.cpu = usage.ru_utime + usage.ru_stime
            self.rss = usage.ru_maxrss * RSS_UNIT
            code = os.waitstatus_to_exitcode(status)
            if code != expected:
                output.seek(0)
                tail = output.read().decode("utf-8", "replace").splitlines()[-10:]
                sys.exit("\n".join([*tail, f"{shlex.join(command)}: exit code {code}, not {expected}"]))


class Figures:
    """The runs of one command in sum."""

    def __init__(self, runs):
        cpu = [run.cpu for run in runs]
        self.cpu, self.least, self.most = statistics.median(cpu), min(cpu), max(cpu)
        self.wall = statistics.median(run.wall for run in runs)
        self.rss = max(run.rss for run in runs)

    def row(self, label, name, baseline):
        ratios = (self.cpu / baseline.cpu, self.wall / baseline.wall, self.rss / baseline.rss)
        cells = [
            label,
            name,
            f"{self.cpu:.2f} [{self.least:.2f}–{self.most:.2f}]",
            f"{self.wall:.2f}",
            f"{self.rss / 2**20:.0f}",
            *(f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}" for ratio in ratios),
        ]
        return f"| {' | '.join(cells)} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each command")
    parser.add_argument("--label", default="", help="first cell of each row")
    parser.add_argument("--baseline", required=True, help="the command that ratios refer to")
    parser.add_argument("--header", action="store_true", help="print the table's header and no row")
    parser.add_argument(
        "--expect", default=[], action="append", metavar="NAME=CODE", help="exit code of a command, 0 when not given"
    )
    parser.add_argument("commands", nargs="*", metavar="NAME=COMMAND")
    options = parser.parse_args()
    if options.header:
        print(HEADER.format(options.baseline))
        return
    if options.runs < 1:
        parser.error("--runs is at least 1")
    commands = {name: shlex.split(command) for name, command in (pair.split("=", 1) for pair in options.commands)}
    if options.baseline not in commands:
        parser.error(f"no command is named {options.baseline}")
    expected = dict.fromkeys(commands, 0)
    expected.update((name, int(code)) for name, code in (pair.split("=", 1) for pair in options.expect))

    runs = {name: [] for name in commands}
    for turn in range(options.runs + 1):
        for name, command in commands.items():
            run = Run(command, expected[name])
            if turn > 0:
                runs[name].append(run)
    figures = {name: Figures(list_) for name, list_ in runs.items()}
    for name in commands:
        print(figures[name].row(options.label, name, figures[options.baseline]))


main()

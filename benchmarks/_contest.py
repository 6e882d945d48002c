"""Contenders take turns at a workload, each in a process of its own.

A process has as many cores as its contender may use threads, and its thread pools are
limited to as many: libraries that were given no limit, or that none reaches (JAX),
keep to it all the same, and runtimes do not disturb each other. The processes sleep
while it is not their turn.
"""

import multiprocessing
import os
import time
import traceback
from dataclasses import dataclass, field

import numpy as np
from _peers import PEERS

MAX_UNITS = 100_000
HOPELESS = 2.0  # times as slow as with another number of threads


@dataclass(frozen=True)
class Contender:
    """A library as it is used in one column of a table."""

    peer_name: str  # in PEERS
    threads: int = 1
    dtype: str = "float32"
    # skreg's own; config objects among them are only ever equal to themselves, and
    # the process has copies, so that the note tells contenders apart
    settings: dict = field(default_factory=dict, compare=False)
    note: str = ""  # what the settings are, in words

    @property
    def label(self):
        """All but the threads."""
        dtype = "" if self.dtype == "float32" else f" {self.dtype}"
        return f"{self.peer_name}{dtype}" + (f", {self.note}" if self.note else "")


def serve(connection, library, threads):
    """Do what comes through the pipe, until it is closed."""
    if hasattr(os, "sched_setaffinity"):
        # the last cores: the first has the system's interrupts to serve
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
    peer, tasks = None, {}
    while True:
        try:
            command, *arguments = connection.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            result = None
            if command == "load":
                peer = peer or PEERS[library](threads)
                key, *rest = arguments
                tasks[key] = peer.task(*rest)
                tasks[key](1)  # compiles, allocates, warms up
                result = peer.predicted
            elif command == "clear":
                tasks.clear()
            else:
                key, units = arguments
                start = time.perf_counter()
                tasks[key](units)
                result = time.perf_counter() - start
            connection.send((result, None))
        except BaseException:
            connection.send((None, traceback.format_exc()))


class Contest:
    """The processes, one for each library and number of threads."""

    def __init__(self):
        self.processes = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process, connection in self.processes.values():
            connection.close()
            process.join(timeout=5)
            if process.is_alive():
                process.kill()

    def ask(self, contender, command, *arguments):
        """Have a contender's process do something, and wait for the result."""
        key = contender.peer_name, contender.threads
        if key not in self.processes:
            context = multiprocessing.get_context("spawn")
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(theirs, *key), daemon=True)
            process.start()
            theirs.close()
            self.processes[key] = process, ours
        _, connection = self.processes[key]
        connection.send((command, *arguments))
        result, error = connection.recv()
        if error:
            raise RuntimeError(f"{contender} failed:\n{error}")
        return result

    def load(self, contender, workload):
        """Make ready; the result is what the contender predicts, or None."""
        return self.ask(
            contender, "load", contender, workload, contender.dtype, contender.settings
        )

    def trial(self, contender):
        """Seconds of one unit, the least of three, or of one that is long."""
        seconds = []
        while len(seconds) < 3 and sum(seconds) < 1:
            seconds.append(self.ask(contender, "run", contender, 1))
        return min(seconds)

    def run(self, workload, contenders, *, repeats, seconds, least=1):
        """Let the contenders take turns.

        A turn is of as many units (epochs, calls) as take about `seconds`, at least
        `least`. A contender that is much slower than the same on another number of
        threads is left out after a trial, unless it is skreg.

        Yields
        ------
        dict
            One turn, as a row of the CSV.
        """
        check_same({c: self.load(c, workload) for c in contenders})
        once = {contender: self.trial(contender) for contender in contenders}
        fastest = {}
        for contender, time_ in once.items():
            fastest[contender.label] = min(time_, fastest.get(contender.label, np.inf))
        contenders = [
            contender
            for contender in contenders
            if contender.peer_name == "skreg"
            or once[contender] < HOPELESS * fastest[contender.label]
        ]
        units = {
            contender: int(np.clip(seconds / once[contender], least, MAX_UNITS))
            for contender in contenders
        }
        for repetition in range(repeats):
            for contender in contenders:
                took = self.ask(contender, "run", contender, units[contender])
                each = took / units[contender]
                yield {
                    "workload": workload.name,
                    "contender": contender.label,
                    "threads": contender.threads,
                    "repetition": repetition,
                    "units": units[contender],
                    "seconds_per_unit": f"{each:.4g}",
                    "gflops": f"{workload.flops / each / 1e9:.4g}",
                }
        for process in {(c.peer_name, c.threads): c for c in once}.values():
            self.ask(process, "clear")


def check_same(predictions):
    """Raise an error unless all predict the same."""
    known = {
        contender: result
        for contender, result in predictions.items()
        if result is not None and contender.peer_name != "validate_data alone"
    }
    expected = [result for c, result in known.items() if c.peer_name == "skreg"]
    for contender, result in known.items():
        if not np.allclose(result, expected[0], atol=1e-5):
            raise ValueError(f"{contender.label} predicts something else than skreg")


def fastest(rows):
    """(workload, contender) -> least seconds of a unit, and the threads it took."""
    best = {}
    for row in rows:
        key = row["workload"], row["contender"]
        found = float(row["seconds_per_unit"]), row["threads"]
        best[key] = min(found, best.get(key, (np.inf, 0)))
    return best

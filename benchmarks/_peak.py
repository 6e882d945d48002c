"""The machine's peak in float32: the best rate of a large sgemm or of an FMA loop.

Whichever is higher counts, on as many threads as the code it is compared with. The
loop is ``_peak.c``, compiled here by the system's compiler; where there is none, sgemm
alone says what the peak is, and `Peak.source` says so.
"""

import ctypes
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

SOURCE = Path(__file__).with_name("_peak.c")
COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-O3", "-ffp-contract=fast", "-shared", "-fPIC")
MATRIX = 2048
TURNS = 5_000_000  # a twentieth of a second or so


class Peak:
    """GFLOP/s by number of threads; the best of all calls of `measure`."""

    def __init__(self):
        self.loop = compiled_loop()
        self.rates = {}  # (what, threads) -> GFLOP/s
        self.matrix = np.random.default_rng(0).random((MATRIX, MATRIX), np.float32)

    @property
    def source(self):
        """What the peak is the best of, in words."""
        if self.loop is None:
            return "a large sgemm (no C compiler was found for an FMA loop)"
        return "a large sgemm and an FMA loop"

    def measure(self, threads, repeats=5):
        """Measure both rates once more."""
        contenders = {"sgemm": self._sgemm}
        if self.loop is not None:
            contenders["fma"] = self._fma
        for what, run in contenders.items():
            for _ in range(repeats):
                rate = run(threads) / 1e9
                key = what, threads
                self.rates[key] = max(rate, self.rates.get(key, 0.0))

    def of(self, threads):
        """The best rate on so many threads, FLOP/s."""
        return 1e9 * max(
            rate for (_, number), rate in self.rates.items() if number == threads
        )

    def _sgemm(self, threads):
        with threadpool_limits(threads):
            start = time.perf_counter()
            self.matrix @ self.matrix
            return 2 * MATRIX**3 / (time.perf_counter() - start)

    def _fma(self, threads):
        def run(_):
            self.loop.multiply_add(TURNS, 0.999, 0.001)  # stays near 1

        # ctypes lets go of the GIL, so that the calls do run at once
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda _: None, range(threads)))  # starts the threads
            start = time.perf_counter()
            list(pool.map(run, range(threads)))
            seconds = time.perf_counter() - start
        return threads * TURNS * self.loop.flops_per_turn() / seconds


def compiled_loop():
    """The library of ``_peak.c``, or None without a compiler that makes it."""
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None or sys.platform == "win32":
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "peak.so"
        command = [compiler, *FLAGS, "-march=native", str(SOURCE), "-o", str(path)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return None
        # what is loaded stays loaded when its file goes
        library = ctypes.CDLL(str(path))
    library.multiply_add.argtypes = [ctypes.c_long, ctypes.c_float, ctypes.c_float]
    library.multiply_add.restype = ctypes.c_float
    return library

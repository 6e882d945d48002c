"""What show_versions prints is what is installed and in use."""

import numpy as np
import scipy
import sklearn
from threadpoolctl import threadpool_info, threadpool_limits

import skreg
from skreg import _kernels, _versions


def printed(capsys):
    skreg.show_versions()
    return capsys.readouterr().out.splitlines()


def test_versions(capsys):
    lines = printed(capsys)
    for name, package in [
        ("skreg", skreg),
        ("scikit-learn", sklearn),
        ("numpy", np),
        ("scipy", scipy),
    ]:
        assert f"{name}: {package.__version__}" in lines


def test_instruction_sets(capsys):
    [line] = [line for line in printed(capsys) if line.startswith("instruction set:")]
    assert line.startswith(f"instruction set: {_kernels.ISA} (of ")


def test_thread_pools(capsys):
    with threadpool_limits(limits=1):
        lines = printed(capsys)
    assert lines.count("num_threads: 1") == len(threadpool_info())


def test_a_package_that_is_missing():
    assert _versions.version_of("no-such-package") == "not installed"

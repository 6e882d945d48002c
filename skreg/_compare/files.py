"""What the command leaves in its output folder."""

import json
import platform
from dataclasses import asdict
from importlib.metadata import version

import joblib
import numpy as np
import pandas as pd

from .errors import InputError
from .plot import draw

LIBRARIES = ("skreg", "scikit-learn", "numpy", "scipy")


def make_folder(folder):
    """Create the output folder, before the work rather than after it.

    Parameters
    ----------
    folder : pathlib.Path
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--output {folder} cannot be a folder ({error.strerror}). Name another."
        ) from error


def write_files(folder, comparison, pipelines, settings):
    """Write the table, the record, the picture and the pipelines.

    Parameters
    ----------
    folder : pathlib.Path
    comparison : Comparison
    pipelines : dict of str to (str, sklearn.pipeline.Pipeline)
        By the name of its file: the name of the candidate, and what was fitted.
    settings : Settings

    Returns
    -------
    dict of str to str
        What each file written is, by its name.
    """
    results_frame(comparison).to_csv(folder / "results.csv", index=False)
    text = json.dumps(record(comparison, settings), indent=2, ensure_ascii=False)
    (folder / "results.json").write_text(text + "\n", encoding="utf-8")
    draw(comparison).savefig(folder / "comparison.png")
    written = {
        "comparison.png": "the picture",
        "results.csv": "the table",
        "results.json": "every fold, and how to repeat it",
    }
    for name, (candidate, pipeline) in pipelines.items():
        joblib.dump(pipeline, folder / name)
        written[name] = f"{candidate}, fitted on all rows"
    return written


def results_frame(comparison):
    """Return the table of candidates with unrounded numbers.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    pandas.DataFrame
    """
    return pd.DataFrame(
        {
            "model": result.name,
            f"{comparison.scoring} mean": result.scores.mean,
            f"{comparison.scoring} spread": result.scores.spread,
            "fit seconds": result.seconds,
            "zero weights": result.zeros,
            "chosen": result.choice,
        }
        for result in comparison.ranked
    )


def record(comparison, settings):
    """Return everything that was found, as values that JSON knows.

    Parameters
    ----------
    comparison : Comparison
    settings : Settings

    Returns
    -------
    dict
    """
    problem = comparison.problem
    return {
        "data": problem.name,
        "rows": len(problem.y),
        "target": problem.target,
        "task": problem.task,
        "notes": problem.notes,
        "settings": asdict(settings),
        "results": [
            {
                "model": result.name,
                "scores": result.scores.values.tolist(),
                "fit seconds": [fold.seconds for fold in result.folds],
                "zero weights": None if np.isnan(result.zeros) else result.zeros,
                "chosen": [fold.chosen for fold in result.folds],
            }
            for result in comparison.ranked
        ],
        "regularizers": [
            {
                "name": effect.name,
                "change": effect.values.tolist(),
                "p": effect.p,
                "verdict": effect.verdict,
            }
            for effect in comparison.effects
        ],
        "left out": {result.name: result.failure for result in comparison.left_out},
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in LIBRARIES},
        },
    }

"""How well does a network withstand adversarial images, if it has met any or not?

MNIST, two hidden layers of 256 units, trained plainly, with one-step adversarial
training and with several steps. Each is attacked with the fast gradient sign method
and with projected gradient descent from a random start, both in the maximum norm, at
growing strengths: an attack may change every pixel, of 0 to 1, by so much. The attacks
know the network; the images are the 10,000 test images.

    python benchmarks/bench_robustness.py [--repeats 3] [--quick]

writes ``results/robustness.csv`` (every fit, attack and strength), ``robustness.md``
and ``robustness.png``.
"""

import os
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from _mnist import Mnist, load_mnist
from _plain import RegularizedMLPClassifier
from _report import (
    QUICK,
    arguments,
    machine,
    markdown_table,
    output_folder,
    write_csv,
    write_table,
)
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from skreg.adversarial import AdversarialTraining
from skreg.inspection import robustness_curve

PIXELS = (0.0, 1.0)
BASE = RegularizedMLPClassifier(
    hidden_layer_sizes=(256, 256),
    l2=0.0,
    batch_size=128,
    learning_rate="cosine",
    max_iter=30,
    tol=0.0,
    n_iter_no_change=np.inf,
)
TRAINED_WITH = 0.1
STEPS = 7
TRAININGS = {
    "none": None,
    "one step": AdversarialTraining(epsilon=TRAINED_WITH, bounds=PIXELS),
    f"{STEPS} steps": AdversarialTraining(
        epsilon=TRAINED_WITH,
        n_steps=STEPS,
        step_size=TRAINED_WITH / 4,
        random_start=True,
        bounds=PIXELS,
    ),
}
EPSILONS = [0.0, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3]
# a step size of None lets the library choose it for each strength
ATTACKS = {
    "FGSM": {"n_steps": 1},
    "PGD, 20 steps": {"n_steps": 20, "random_start": True},
}


def measure(options):
    """A row of the CSV for each fit, attack and strength."""
    data = load_mnist()
    if options.quick:
        data = Mnist(*(part[:1000] for part in data))
    rows = []
    for seed in range(options.repeats):
        for training, adversarial in TRAININGS.items():
            model = clone(BASE).set_params(adversarial=adversarial, random_state=seed)
            if options.quick:
                model.set_params(max_iter=2)
            start = time.perf_counter()
            with warnings.catch_warnings():
                # an epoch budget is no convergence
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(data.X_train, data.y_train)
            seconds = time.perf_counter() - start
            for attack, settings in ATTACKS.items():
                curve = robustness_curve(
                    model,
                    data.X_test,
                    data.y_test,
                    epsilons=EPSILONS,
                    norm="inf",
                    bounds=PIXELS,
                    random_state=seed,
                    **settings,
                )
                rows += [
                    {
                        "training": training,
                        "seed": seed,
                        "fit_seconds": f"{seconds:.1f}",
                        "attack": attack,
                        "epsilon": epsilon,
                        "accuracy": f"{accuracy:.4f}",
                    }
                    for epsilon, accuracy in zip(
                        curve.epsilons, curve.scores, strict=True
                    )
                ]
            print(f"{training}, seed {seed}: {seconds:.0f} s", flush=True)
    return rows


def accuracies(rows):
    """(training, attack) -> array of shape (strengths, seeds)."""
    found = {}
    for row in rows:
        by_strength = found.setdefault((row["training"], row["attack"]), {})
        by_strength.setdefault(row["epsilon"], []).append(float(row["accuracy"]))
    return {key: np.array(list(value.values())) for key, value in found.items()}


def table(rows):
    """Mean accuracies in percent: a line for each training and attack."""
    header = ["attack", "training", *(f"ε = {epsilon:g}" for epsilon in EPSILONS)]
    found = accuracies(rows)
    lines = [
        [attack, training]
        + [f"{100 * mean:.1f}" for mean in found[training, attack].mean(axis=1)]
        for attack in ATTACKS
        for training in TRAININGS
    ]
    return markdown_table(header, lines)


def plot(rows, path):
    """Accuracy against strength, a panel for each attack, a curve for each training."""
    fig, axes = plt.subplots(
        1, len(ATTACKS), figsize=(9, 3.8), sharey=True, layout="constrained"
    )
    found = accuracies(rows)
    for ax, attack in zip(axes, ATTACKS, strict=True):
        for training, marker in zip(TRAININGS, "os^", strict=True):
            values = found[training, attack]
            ax.plot(EPSILONS, values.mean(axis=1), f"{marker}-", label=training)
            ax.fill_between(EPSILONS, values.min(axis=1), values.max(axis=1), alpha=0.2)
        ax.axvline(TRAINED_WITH, color="black", linewidth=0.8, linestyle=":")
        ax.set_title(attack)
        ax.set_xlabel("strength ε of the attack")
        ax.grid(alpha=0.4)
    axes[0].set_ylabel("accuracy on test images")
    axes[0].legend(title="adversarial training")
    fig.savefig(path, dpi=120)


def main():
    """Measure, and write what there is to write."""
    options = arguments(__doc__, repeats=3).parse_args()
    if options.quick:
        options.repeats = 1
    folder = output_folder(options)
    with threadpool_limits(os.cpu_count()):
        rows = measure(options)
    seeds = "one seed" if options.repeats == 1 else f"mean of {options.repeats} seeds"
    write_csv(folder, "robustness.csv", rows)
    write_table(
        folder,
        "robustness.md",
        table(rows),
        f"{QUICK + ' ' if options.quick else ''}Accuracy in percent on MNIST's test "
        f"images, {seeds}. Adversarial training is with ε = "
        f"{TRAINED_WITH:g}, half of each batch's loss on adversarial images. "
        f"{machine()}",
    )
    if folder:
        plot(rows, folder / "robustness.png")


if __name__ == "__main__":
    main()

"""Which optimizer brings a network's training loss down furthest in a few seconds?

First-order methods win where data are many and noise matters; where a small network has to fit its
data closely, curvature pays. Here one with two hidden layers learns how diabetes progressed in 442
patients, to every detail. Adam is given the best of three learning rates; the others have none to
choose. The loss at equal times is printed, and a picture is written.

    python examples/compare_network_optimizers.py
    python examples/compare_network_optimizers.py --seconds 10
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

from skgrad.neural_network import MLPRegressor
from skgrad.solvers import LBFGS, Adam, NaturalGradient, NewtonCG

ADAMS = [Adam(rate) for rate in (0.001, 0.003, 0.01)]
OTHERS = [LBFGS(), NewtonCG(), NaturalGradient(batch_size=442)]
COLORS = ["#e4572e", "#8ecae6", "#1d6fa5", "#023047"]
SHARES = [0.1, 0.25, 0.5, 1.0]


class Deadline:
    """A callback of scikit-learn that ends a fit after some seconds."""

    def __init__(self, seconds):
        self.seconds = seconds

    def setup(self, estimator, context):
        self.end = time.perf_counter() + self.seconds

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        return time.perf_counter() > self.end

    def teardown(self, estimator, context):
        pass


def train(solver, X, y, seconds):
    """Seconds and training loss, epoch by epoch."""
    network = MLPRegressor(
        (30, 30), "tanh", solver=solver, alpha=0.01, dtype="float64", tol=0.0,
        n_iter_no_change=np.inf, max_iter=20_000, random_state=0,
    )  # fmt: skip
    network.set_callbacks(Deadline(seconds)).fit(X, y)
    return pd.Series(network.history_["loss"], index=network.history_["seconds"])


def loss_at(losses, seconds):
    return losses[:seconds].min()


def draw(curves, path):
    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    axes = figure.subplots()
    for (name, losses), color in zip(curves.items(), COLORS, strict=True):
        axes.plot(losses.index, losses.cummin(), label=name, color=color, linewidth=1.8)
    axes.set(xscale="log", yscale="log", xlabel="seconds")
    axes.set_title("training loss, least so far", loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e6e6e6", linewidth=0.8)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="of each optimizer")
    parser.add_argument("--output", type=Path, default=Path("network_comparison.png"))
    arguments = parser.parse_args()

    X, y = load_diabetes(return_X_y=True)
    X, y = StandardScaler().fit_transform(X), (y - y.mean()) / y.std()
    runs = {repr(solver): train(solver, X, y, arguments.seconds) for solver in ADAMS + OTHERS}
    adam = min(map(repr, ADAMS), key=lambda name: loss_at(runs[name], arguments.seconds))
    curves = {name: runs[name] for name in [adam, *map(repr, OTHERS)]}

    times = [share * arguments.seconds for share in SHARES]
    table = pd.DataFrame(
        {f"{t:g} s": [loss_at(losses, t) for losses in curves.values()] for t in times},
        index=list(curves),
    )
    table["epochs"] = [len(losses) for losses in curves.values()]
    print("Training loss (squared error and penalty), the least so far:")
    print(table.to_string(float_format="{:.6f}".format))
    draw(curves, arguments.output)
    print(f"Picture: {arguments.output.resolve()}")


if __name__ == "__main__":
    main()

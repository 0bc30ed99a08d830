"""A table of people with mixed columns, and a pipeline fitted on it."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skgrad import LogisticRegression


@pytest.fixture(scope="session")
def people():
    rng = np.random.default_rng(0)
    n = 200
    frame = pd.DataFrame(
        {
            "age": rng.normal(40.0, 10.0, n),
            "income": rng.lognormal(1.0, 0.5, n),
            "city": rng.choice(list("abc"), n),
            "debt": rng.normal(size=n),
        }
    )
    frame.loc[::7, "age"] = np.nan
    score = frame["age"].fillna(40.0) / 40.0 + frame["income"] + (frame["city"] == "a")
    return frame, np.where(score + rng.normal(size=n) > 3.5, "yes", "no")


@pytest.fixture(scope="session")
def pipeline(people):
    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    columns = ColumnTransformer(
        [("numbers", numbers, ["age", "income"]), ("city", OneHotEncoder(drop="first"), ["city"])],
        remainder="passthrough",
    )
    return make_pipeline(columns, LogisticRegression(tol=1e-10)).fit(*people)

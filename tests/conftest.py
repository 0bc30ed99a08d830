"""Fixtures for all tests."""

import numpy as np
import pytest

from skgrad import linalg, products


@pytest.fixture
def rng():
    """Random numbers, the same in each test."""
    return np.random.default_rng(0)


@pytest.fixture(params=["whole", "blocks", "compiled"])
def blocks(request, monkeypatch):
    """Run a test with the data in one piece, and in blocks of a few rows, also compiled ones."""
    if request.param != "whole":
        monkeypatch.setattr(linalg, "BLOCK_BYTES", 600)
        monkeypatch.setattr(linalg, "SPARSE_BLOCK_BYTES", 600)
    if request.param == "compiled":
        monkeypatch.setattr(products, "COMPILED_PRODUCT", 0)
        monkeypatch.setattr(products, "PREDICTION_BYTES", 300)
    return request.param

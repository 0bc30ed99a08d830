"""Fixtures for all tests."""

import numpy as np
import pytest

from skgrad import linalg


@pytest.fixture
def rng():
    """Random numbers, the same in each test."""
    return np.random.default_rng(0)


@pytest.fixture(params=["whole", "blocks"])
def blocks(request, monkeypatch):
    """Run a test with the data in one piece, and cut into blocks of a few rows."""
    if request.param == "blocks":
        monkeypatch.setattr(linalg, "BLOCK_BYTES", 600)
        monkeypatch.setattr(linalg, "SPARSE_BLOCK_BYTES", 600)
    return request.param

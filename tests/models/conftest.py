"""What fixtures the tests of models share."""

import pytest
import torch


@pytest.fixture
def _no_memory():
    """Models of large sizes need not be filled with numbers to be counted."""
    with torch.device("meta"):
        yield

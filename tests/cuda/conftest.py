"""What only a machine with an NVIDIA GPU can show: `pytest tests/cuda` there. Elsewhere these tests are skipped."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU, and a torch that was built for CUDA")

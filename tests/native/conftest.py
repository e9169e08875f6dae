"""The tests of this folder run the native kernels; where none can be built they are skipped."""

import pytest

from ctr import native


@pytest.fixture(autouse=True)
def native_kernels(plain_kernels) -> None:
    if (said := native.use("auto")) != "native kernels":
        pytest.skip(said)

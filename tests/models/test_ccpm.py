"""convolutions, pooling and head by plain loops; the parameters that its definition counts; logits of FuxiCTR with
shared filters"""

import pytest
import torch

from ctr.models import CCPM
from tests.blocks.test_convolution import by_loops
from tests.conftest import mixed_schema
from tests.models.shared import categorical, count, make, rows_of


@pytest.mark.parametrize("shared", [False, True])
def test_it_is_a_head_on_the_convolutions_over_the_fields(shared):
    schema = mixed_schema()
    ids, values = rows_of(schema)
    ccpm = make("ccpm", schema, channels=[3, 2], kernel_widths=[3, 2], shared_filters=shared)
    xv = ccpm.embedding(ids, values)
    fields = torch.stack([xv[:, 0], xv[:, 1] + xv[:, 2] + xv[:, 3], xv[:, 4], xv[:, 5]], dim=1)
    for row, logit in zip(fields, ccpm(ids, values), strict=True):
        maps = torch.tensor(by_loops(ccpm.convolutions, row, shared), dtype=torch.double)
        torch.testing.assert_close(logit, ccpm.head(maps.flatten())[0])


@pytest.mark.usefixtures("_no_memory")
@pytest.mark.parametrize(("shared", "sets"), [(False, 10), (True, 1)])
def test_its_parameters_are_the_table_the_filters_and_the_head(shared, sets):
    """As FuxiCTR's with shared filters: its last pooling keeps 3 values too."""
    ccpm = make("ccpm", categorical(5389, 10), embedding_dim=10, shared_filters=shared)
    assert isinstance(ccpm, CCPM)
    filters = (4 * 1 * 6 + 4) + (4 * 4 * 5 + 4) + (2 * 4 * 3 + 2)
    assert count(ccpm) == 5389 * 10 + sets * filters + (3 * 10 * 2 + 1)


VARIANTS = {
    "of FuxiCTR": {"shared_filters": True},
    "one layer": {"channels": [8], "kernel_widths": [3]},
}

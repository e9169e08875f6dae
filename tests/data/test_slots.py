"""Slots of a batch: written out by the native kernels as by numpy, and values that are all 1."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctr import native
from ctr.batch import Batch, ones
from ctr.blocks.lookup import all_ones
from ctr.data.rows import Layout, Rows
from tests.conftest import mixed_schema, random_batch
from tests.data.test_rows import PARTS, dense_rows
from tests.training.builders import MODELS, data, model

KERNELS = ["plain", "native"]
LAYOUTS = {
    "none": (),
    "all": (0, 1, 2, 3, 4),
    "together": (1, 2, 3),
    "scattered": (0, 2, 4),
    "the last": (4,),
}


def use(kernels: str) -> None:
    if kernels == "native" and (said := native.use("auto")) != "native kernels":
        pytest.skip(said)
    native.use(kernels)


def steps(tensor: torch.Tensor) -> list[int]:
    """The strides, but for those along a single entry, which say nothing."""
    return [step for size, step in zip(tensor.shape, tensor.stride(), strict=True) if size > 1]


def same(rows: Rows, taken: np.ndarray | slice) -> None:
    """With either kernels, the same bits in the same types."""
    batches = []
    for kernels in KERNELS:
        use(kernels)
        batches.append(rows.batch(taken))
    for name in PARTS:
        one, other = (getattr(batch, name) for batch in batches)
        assert (one is None) == (other is None)
        if one is not None:
            assert (one.dtype, one.shape, steps(one)) == (other.dtype, other.shape, steps(other))
            assert torch.equal(one, other), name


ids_of = st.sampled_from([np.uint16, np.uint32, np.int64])


@given(dense_rows(), ids_of, st.integers(1, 2), st.data())
def test_native_slots_are_the_plain_ones(given_rows, kind, threads, draw):
    torch.set_num_threads(threads)
    rows = replace(given_rows[0], ids=given_rows[0].ids.astype(kind))
    numbers = st.lists(st.integers(0, len(rows) - 1), max_size=12).map(lambda taken: np.array(taken, dtype=np.int64))
    spans = st.builds(slice, st.integers(-9, 12), st.integers(-9, 12), st.sampled_from([None, 2]))
    same(rows, draw.draw(st.just(slice(None)) | spans | numbers))


def stored(layout: str, kind: type, count: int) -> Rows:
    """Rows whose last ids are the largest of their type, and with as many values as ids."""
    slots = LAYOUTS[layout]
    random = np.random.default_rng(0)
    ids = random.integers(0, 1000, (count, len(slots))).astype(kind)
    ids[-1:] = np.iinfo(kind).max
    constants = tuple(0 if slot in slots else 10 + slot for slot in range(5))
    values = random.normal(size=ids.shape).astype(np.float32)
    return Rows(Layout(constants, slots, slots), ids, values, np.zeros(count, np.float32))


@pytest.mark.parametrize("kind", [np.uint16, np.uint32, np.int64])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout_any_type_of_ids_and_any_rows_agree(layout, kind):
    torch.set_num_threads(2)
    rows = stored(layout, kind, 5000)
    order = np.random.default_rng(1).permutation(5000)
    spans = slice(None), slice(17, 4999), slice(0, 0)
    for taken in (*spans, order, order[:1], order[:0], order.astype(np.int32), order[::2]):
        same(rows, taken)
    same(stored(layout, kind, 0), slice(None))
    same(rows.take(slice(100, 200)), slice(3, 9))
    same(replace(rows, ids=rows.ids[::2], values=rows.values[::2], labels=rows.labels[::2]), slice(3, 9))


@pytest.mark.parametrize("kernels", KERNELS)
def test_constants_stand_where_nothing_is_stored(kernels):
    use(kernels)
    batch = stored("scattered", np.uint32, 4).batch(slice(None))
    assert batch.ids[:, [1, 3]].tolist() == [[11, 13]] * 4
    assert batch.ids[-1, [0, 2, 4]].tolist() == [2**32 - 1] * 3
    assert batch.values[:, [1, 3]].tolist() == [[1, 1]] * 4


# --- values that are all 1 ---


@pytest.mark.parametrize("kernels", KERNELS)
def test_without_stored_values_they_are_one_number_seen_from_everywhere(kernels):
    use(kernels)
    values = data().rows("train").values
    assert not all_ones(values[:0])
    assert all_ones(values)
    assert values.stride() == (0, 0)
    assert values.dtype == torch.float32
    assert torch.equal(values, torch.ones(240, 4))


def test_only_ones_by_construction_are_taken_for_them():
    for values in (torch.ones(3, 2), torch.zeros(()).expand(3, 2), torch.ones(3, 1).expand(3, 2), torch.ones(1, 1)):
        assert not all_ones(values)
    assert all_ones(ones(3, 2))


def logits_and_gradients(name: str, batch: Batch) -> tuple[torch.Tensor, list[torch.Tensor | None]]:
    net = model(name, mixed_schema())
    logits = net(batch.ids, batch.values)
    (logits * torch.linspace(-1, 1, len(logits))).sum().backward()
    return logits.detach(), [parameter.grad for parameter in net.parameters()]


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", MODELS)
def test_a_model_gives_for_them_what_it_gives_for_ones_written_out(name, kernels):
    """Its logits and the gradient of each parameter."""
    use(kernels)
    batch = random_batch(mixed_schema(), 37)
    as_one, written = (replace(batch, values=values) for values in (ones(37, 6), torch.ones(37, 6)))
    torch.testing.assert_close(logits_and_gradients(name, as_one), logits_and_gradients(name, written))


@pytest.mark.parametrize("kernels", KERNELS)
def test_they_can_be_taken_and_moved(kernels):
    use(kernels)
    batch, net = data().rows("train"), model("fm")
    for rows in (slice(3, 9), slice(0, 0), torch.tensor([5, 2, 2]), torch.arange(240) < 7):
        part = batch.take(rows)
        assert part.values.shape == part.ids.shape
        assert (part.values == 1).all()
        torch.testing.assert_close(*(net(part.ids, values) for values in (part.values, part.values.clone())))
    assert all_ones(batch.take(slice(3, 9)).to(torch.device("cpu")).values)
    assert batch.to(torch.device("meta")).values.shape == (240, 4)
    assert not all_ones(batch.to(torch.device("meta")).values)

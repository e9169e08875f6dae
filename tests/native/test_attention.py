"""The kernel of attention over fields against its formula, in float64."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from ctr.blocks import Dropout, FieldAttention
from ctr.blocks.attention import attend
from tests.native.cases import SEEDS, SIZES, THREADS, close, names_called, threads, with_gradients

SCALES = st.sampled_from([0.3, 1.0])


@st.composite
def packed(draw):
    """(B, F, 3 * heads * dim), and the number of heads; numbers whose products are up to a hundred."""
    threads(draw(THREADS))
    torch.manual_seed(draw(SEEDS))
    fields, dim = draw(st.sampled_from([1, 2, 10, 16, 17, 39])), draw(st.sampled_from([1, 3, 10, 16, 32, 33]))
    heads = draw(st.integers(1, 4))
    return 2 * torch.randn(draw(SIZES), fields, 3 * heads * dim), heads


def formula(packed, heads, factor, factors=None):
    """Heads one behind the other: sum_n softmax_n(factor <q_m, k_n>) * factors_mn v_n."""
    queries, keys, values = packed.chunk(3, dim=2)
    found = []
    for h, (q, k, v) in enumerate(zip(*(part.chunk(heads, dim=2) for part in (queries, keys, values)), strict=True)):
        powers = (factor * torch.einsum("bmd,bnd->bmn", q, k)).softmax(dim=2)
        powers = powers if factors is None else powers * factors[:, h].to(powers.dtype)
        found.append(torch.einsum("bmn,bnd->bmd", powers, v))
    return torch.cat(found, dim=2)


@given(packed(), SCALES)
def test_it_is_the_softmax_of_each_head_with_its_gradients(case, factor):
    inputs, heads = case
    upstream = torch.randn(inputs.shape[0], inputs.shape[1], inputs.shape[2] // 3)
    ours = with_gradients(lambda x: attend(x, heads, factor, Dropout(0.0)), inputs, upstream=upstream)
    truth = with_gradients(lambda x: formula(x, heads, factor), inputs.double(), upstream=upstream)
    close(ours, truth, tolerance=3e-5)


@given(packed(), SCALES)
def test_dropout_draws_a_factor_for_each_weight(case, factor):
    inputs, heads = case
    batch, fields = inputs.shape[:2]
    upstream, dropout = torch.randn(batch, fields, inputs.shape[2] // 3), Dropout(0.4).train()
    state = torch.get_rng_state()
    factors = dropout(torch.ones(batch, heads, fields, fields))
    torch.set_rng_state(state)
    ours = with_gradients(lambda x: attend(x, heads, factor, dropout), inputs, upstream=upstream)
    truth = with_gradients(lambda x: formula(x, heads, factor, factors), inputs.double(), upstream=upstream)
    close(ours, truth, tolerance=3e-5)


@given(packed())
def test_bfloat16_is_float32_but_for_its_own_roundings(case):
    inputs, heads = case
    inputs = inputs.bfloat16()
    upstream = torch.randn(inputs.shape[0], inputs.shape[1], inputs.shape[2] // 3).bfloat16()
    ours = with_gradients(lambda x: attend(x, heads, 0.3, Dropout(0.0)), inputs, upstream=upstream)
    assert {one.dtype for one in ours} == {torch.bfloat16}
    truth = with_gradients(lambda x: formula(x, heads, 0.3), inputs.double(), upstream=upstream)
    close(ours, truth, tolerance=1e-2)


def test_scores_far_apart_neither_overflow_nor_vanish():
    inputs = torch.tensor([[[1e4, 1e4, 1.0], [-1e4, -1e4, 3.0]]])  # two fields, each of which sees itself alone
    close([attend(inputs, 1, 1.0, Dropout(0.0))], [torch.tensor([[[1.0], [3.0]]]).double()])


def test_gradients_of_any_strides_are_taken():
    torch.manual_seed(0)
    inputs = torch.randn(3, 4, 12)
    ours = with_gradients(lambda x: attend(x, 2, 1.0, Dropout(0.0)).sum(), inputs, upstream=torch.ones(()))
    truth = with_gradients(lambda x: formula(x, 2, 1.0).sum(), inputs.double(), upstream=torch.ones(()))
    close(ours, truth)


def test_the_block_calls_it_and_plain_pytorch_agrees(monkeypatch):
    torch.manual_seed(0)
    block = FieldAttention(6, 5, 3, scale=True, residual=True, layer_norm=True, dropout=0.0)
    xv, names = torch.randn(7, 9, 6), names_called(monkeypatch)
    ours = with_gradients(block, xv, upstream=torch.ones(7, 9, 15))
    assert names == ["attend_f32", "attend_backward_f32"]
    close(ours, with_gradients(block.double(), xv.double(), upstream=torch.ones(7, 9, 15)))

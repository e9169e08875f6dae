"""Dropout: its masks are ours, so they have to be fair, independent and repeatable."""

import pytest
import torch

from ctr.blocks import Dropout


def sigmas(count: int, variance: float, num: float = 5) -> float:
    """How far the mean of `count` draws may lie from its expectation."""
    return num * (variance / count) ** 0.5


def masks(p: float, *shape: int) -> torch.Tensor:
    torch.manual_seed(1)
    return (Dropout(p)(torch.ones(shape)) == 0).double()


def test_a_model_that_scores_drops_nothing():
    inputs = torch.randn(40, 7)
    torch.testing.assert_close(Dropout(0.9).eval()(inputs), inputs, atol=0, rtol=0)


def test_dropout_zero_drops_nothing():
    inputs = torch.randn(40, 7)
    torch.testing.assert_close(Dropout(0.0)(inputs), inputs, atol=0, rtol=0)


@pytest.mark.parametrize("p", [0.01, 0.2, 0.5, 0.9, 0.999])
def test_the_dropped_share_is_near_p_at_every_place_of_a_draw(p):
    """One random number decides four entries: no quarter may be luckier."""
    dropped = masks(p, 50_000, 4)
    for share in dropped.mean(0).tolist():
        assert share == pytest.approx(p, abs=sigmas(50_000, p * (1 - p)))


@pytest.mark.parametrize("p", [0.01, 0.2, 0.5, 0.9])
def test_the_mean_is_preserved(p):
    torch.manual_seed(2)
    inputs = torch.full((200_000,), 3.0, dtype=torch.double)
    assert Dropout(p)(inputs).mean().item() == pytest.approx(3, abs=3 * sigmas(200_000, p / (1 - p)))


@pytest.mark.parametrize(("p", "scale"), [(0.25, 4 / 3), (0.5, 2.0), (0.75, 4.0)])
def test_kept_entries_are_scaled_exactly(p, scale):
    inputs = torch.randn(1001, dtype=torch.double)
    outputs = Dropout(p)(inputs)
    kept = outputs != 0
    assert 0 < kept.sum() < 1001
    torch.testing.assert_close(outputs[kept], scale * inputs[kept], rtol=1e-15, atol=0)


@pytest.mark.parametrize("p", [0.1, 0.3, 0.8])
def test_where_16_bits_cannot_say_p_the_scale_fits_the_share_that_they_say(p):
    scale = Dropout(p)(torch.ones(1001, dtype=torch.double)).max().item()
    assert scale == 65536 / (65536 - round(p * 65536))
    assert scale == pytest.approx(1 / (1 - p), rel=1e-4)


def test_the_gradient_goes_through_the_same_mask():
    inputs = torch.randn(33, 5, dtype=torch.double, requires_grad=True)
    outputs = Dropout(0.5)(inputs)
    outputs.sum().backward()
    torch.testing.assert_close(inputs * inputs.grad, outputs)
    assert set(inputs.grad.unique().tolist()) == {0.0, 2.0}


@pytest.mark.parametrize("shape", [(), (1,), (3,), (5, 7), (2, 3, 5), (0, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_any_shape_and_bfloat16_will_do(shape, dtype):
    outputs = Dropout(0.5)(torch.ones(shape, dtype=dtype))
    assert outputs.shape == shape
    assert outputs.dtype == dtype
    assert ((outputs == 0) | (outputs == 2)).all()


def test_a_transposed_input_keeps_its_entries():
    inputs = torch.randn(6, 9).T
    outputs = Dropout(0.5)(inputs)
    torch.testing.assert_close(outputs[outputs != 0], 2 * inputs[outputs != 0], atol=0, rtol=0)


def test_the_input_itself_is_left_alone():
    inputs = torch.ones(100)
    Dropout(0.5)(inputs)
    assert (inputs == 1).all()


def test_the_torch_seed_decides_the_mask_and_the_next_mask_is_another():
    dropout, inputs = Dropout(0.5), torch.ones(100)
    torch.manual_seed(3)
    first, second = dropout(inputs), dropout(inputs)
    torch.manual_seed(3)
    assert torch.equal(first, dropout(inputs))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("p", [0.2, 0.5])
@pytest.mark.parametrize("lag", [1, 2, 3, 4, 7, 8, 16])
def test_neighbouring_entries_are_dropped_independently(p, lag):
    dropped = masks(p, 100_000)
    pairs = torch.stack([dropped[:-lag], dropped[lag:]])
    assert torch.corrcoef(pairs)[0, 1].item() == pytest.approx(0, abs=sigmas(100_000, 1.0))


def test_columns_are_dropped_independently():
    correlations = torch.corrcoef(masks(0.5, 50_000, 9).T) - torch.eye(9)
    assert correlations.abs().max().item() < sigmas(50_000, 1.0)


@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5, float("nan")])
def test_a_p_outside_zero_to_one_is_refused(p):
    with pytest.raises(ValueError, match=r"dropout must be at least 0 and below 1, found"):
        Dropout(p)

"""Every shipped model is the same on a GPU: logits, gradients, batch norm's statistics."""

import copy

import pytest
import torch
from torch.nn import functional

from ctr.blocks import Dropout
from ctr.training.device import find_device
from tests.models.test_contract import CONFIGS, SCHEMA, VARIANTS, build, rows


def in_a_step(model, device, dtype=torch.float64):
    """Logits in training, without dropout's chance, and all that a step leaves, on the CPU again."""
    model = copy.deepcopy(model).to(device, dtype).train()
    for module in model.modules():
        if isinstance(module, Dropout):
            module.eval()
    ids, values, labels = (part.to(device) for part in rows())
    logits = model(ids, values.to(dtype))
    functional.binary_cross_entropy_with_logits(logits, labels.to(dtype)).backward()
    grads = {name: p.grad.cpu() for name, p in model.named_parameters() if p.grad is not None}
    assert grads
    return {"logits": logits.detach().cpu(), **grads, **{name: b.cpu() for name, b in model.named_buffers()}}


@pytest.mark.parametrize("name", CONFIGS | VARIANTS)
def test_a_step_is_that_of_the_cpu(name):
    model = build((CONFIGS | VARIANTS)[name], SCHEMA)
    torch.testing.assert_close(in_a_step(model, "cuda"), in_a_step(model, "cpu"), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", CONFIGS)
def test_it_scores_alike_in_float32(name):
    model = build(CONFIGS[name], SCHEMA).eval()
    ids, values, _ = rows()
    exact = model(ids, values)
    device = find_device("cuda")
    model = model.float().to(device)
    logits = model(ids.to(device), values.float().to(device))
    torch.testing.assert_close(logits.double().cpu(), exact, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", CONFIGS)
def test_it_trains_in_bfloat16(name):
    model = build(CONFIGS[name], SCHEMA).float().cuda().train()
    ids, values, labels = (part.cuda() for part in rows())
    with torch.autocast("cuda", torch.bfloat16):
        logits = model(ids, values.float())
    functional.binary_cross_entropy_with_logits(logits.float(), labels.float()).backward()
    assert all(p.grad.isfinite().all() and p.dtype == torch.float for p in model.parameters() if p.requires_grad)

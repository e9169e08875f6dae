"""LogitMean averages, and its gradient is that of the distillation's loss."""

import torch
from torch.nn import functional

from ctr.blocks import LogitMean


def logits_of(*seeds):
    return [
        torch.randn(5, generator=torch.Generator().manual_seed(s), dtype=torch.double).requires_grad_() for s in seeds
    ]


def test_it_is_the_mean():
    first, second = logits_of(0, 1)
    for distillation in (True, False):
        for training in (True, False):
            mean = LogitMean(distillation=distillation).train(training)
            torch.testing.assert_close(mean(first, second), (first + second) / 2)


def test_in_training_each_logit_gets_the_gradient_of_its_distance_to_the_mean():
    """FuxiCTR's loss, written out: the labels' on the mean, the mean's on each logit."""
    labels = torch.tensor([0.0, 1, 1, 0, 1], dtype=torch.double)
    logits, twins = logits_of(0, 1), logits_of(0, 1)
    loss = functional.binary_cross_entropy_with_logits(LogitMean(distillation=True)(*logits), labels)
    loss.backward()
    mean = (twins[0] + twins[1]) / 2
    teacher = mean.sigmoid().detach()
    total = functional.binary_cross_entropy_with_logits(mean, labels)
    for twin in twins:
        total = total + functional.binary_cross_entropy(twin.sigmoid(), teacher)
    total.backward()
    for logit, twin in zip(logits, twins, strict=True):
        torch.testing.assert_close(logit.grad, twin.grad)


def test_without_distillation_and_when_the_model_scores_the_gradient_is_the_means():
    for mean in (LogitMean(distillation=False), LogitMean(distillation=True).eval()):
        logits = logits_of(0, 1)
        mean(*logits).sum().backward()
        assert all((logit.grad == 0.5).all() for logit in logits)

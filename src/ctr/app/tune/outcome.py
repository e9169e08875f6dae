"""What a search has found, by member: the trials that the budget has paid for, the best of them, what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from ctr.app.tables.words import number_and_spread
from ctr.app.tune import study as studies
from ctr.app.tune.checking import Base
from ctr.app.tune.sweep import Member, Sweep
from ctr.statistics.front import front
from ctr.statistics.seeds import mean_and_spread


@dataclass(frozen=True)
class Outcome:
    """A member's part of a search."""

    member: Member
    base: Base
    study: optuna.Study
    sweep: Sweep

    @cached_property
    def trials(self) -> list[FrozenTrial]:
        return studies.begun(self.study)

    def of(self, state: TrialState) -> list[FrozenTrial]:
        return [trial for trial in self.trials if trial.state == state]

    @cached_property
    def ranked(self) -> list[FrozenTrial]:
        """Those that have finished, the best score first; of equal ones the earliest."""
        sign = -1 if self.base.direction == "maximize" else 1
        return sorted(self.of(TrialState.COMPLETE), key=lambda trial: (sign * trial.values[0], trial.number))

    @property
    def best(self) -> FrozenTrial | None:
        return self.ranked[0] if self.ranked else None

    @cached_property
    def front(self) -> set[int]:
        """Numbers of the finished trials that no other beats in one objective without losing in another."""
        sign = -1 if self.base.direction == "maximize" else 1
        points = [(sign * trial.values[0], *trial.values[1:]) for trial in self.ranked]
        return {self.ranked[i].number for i in front(points)}

    @property
    def name(self) -> str:
        """Of the best trial's experiment file."""
        return f"{self.sweep.name}_{self.member.name if self.sweep.is_comparison else 'best'}"

    def settings(self, trial: FrozenTrial) -> dict[str, Any]:
        return studies.settings(trial.params, self.member) if trial.params.keys() == self.member.space.keys() else {}

    def spent(self, what: str) -> float:
        return float(sum(trial.user_attrs.get(what, 0) for trial in self.trials))

    @property
    def counts(self) -> str:
        """How the trials ended."""
        again = sum("same_as" in trial.user_attrs for trial in self.trials)
        ended = {
            "finished": len(self.ranked),
            "pruned": len(self.of(TrialState.PRUNED)),
            "failed": len(self.of(TrialState.FAIL)),
            "running": len(self.of(TrialState.RUNNING)),
        }
        told = ", ".join(f"{number} {how}" for how, number in ended.items() if number) or "none"
        return told + (f"; {again} said what an earlier one did" if again else "")


def outcomes(sweep: Sweep, bases: Mapping[str, Base], known: Mapping[str, optuna.Study]) -> list[Outcome]:
    return [Outcome(member, bases[member.name], known[member.name], sweep) for member in sweep.members]


def score(trial: FrozenTrial | None) -> str:
    """Of a finished trial: mean, and standard deviation over its seeds."""
    if trial is None or trial.state != TrialState.COMPLETE:
        return ""
    return number_and_spread(trial.user_attrs["scores"])


def short(key: str) -> str:
    """A key of the config by the last of its names that tell it from others."""
    return ".".join(key.split(".")[-2:])


def lines(outcome: Outcome) -> Sequence[dict[str, Any]]:
    """A line a trial: the finished ones first, by score, then the others by number."""
    rest = [trial for trial in outcome.trials if trial.state != TrialState.COMPLETE]
    found = []
    for trial in [*outcome.ranked, *rest]:
        told, settings = trial.user_attrs, outcome.settings(trial)
        scores = told.get("scores", [])
        mean, spread = mean_and_spread(scores) if scores else (None, None)
        found.append(
            {
                "model": outcome.member.name,
                "trial": trial.number,
                "state": {TrialState.COMPLETE: "finished", TrialState.FAIL: "failed"}.get(
                    trial.state, trial.state.name.lower()
                ),
                f"valid {outcome.base.monitor}": mean,
                "sd": spread,
                "seeds": len(scores),
                **({"front": trial.number in outcome.front} if len(outcome.sweep.objectives) > 1 else {}),
                **{name: told.get(name) for name in ("epochs", "seconds", "parameters", "same_as")},
                **settings,
                "cause": told.get("cause"),
                "folder": outcome.member.folder(settings) if settings else None,
            }
        )
    return found

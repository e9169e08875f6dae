"""The HPARAMS tab: what a run was trained with, beside what came out.

Torch's `add_hparams` makes a second run for every run, and writes which columns there are; TensorBoard then takes the
columns of one run for all, and other models' settings are not shown. Here the values stand in the run's own folder, and
no columns: TensorBoard gathers them from all runs, those first in which they differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from torch.utils.tensorboard.summary import scalar

from ctr.app import run_folder, summary

LEFT_OUT = re.compile(  # facts of the machine, and how a run is watched
    r"(.*\.)?_partial_|model\._target_|(.*\.)?trainer\.(_target_|(device|seed|metrics|monitor|eval_batch_size|log_every"
    r"|save_every|compile|profile)(\..*)?)|dataset\.window"
)


def start(config: Mapping[str, Any]) -> Summary:
    """The settings of a run that begins."""
    info = plugin_data_pb2.SessionStartInfo()
    for name, value in settings(config).items():
        if isinstance(value, bool):
            info.hparams[name].bool_value = value
        elif isinstance(value, (int, float)):
            info.hparams[name].number_value = value
        else:
            info.hparams[name].string_value = value
    return _summary(metadata.SESSION_START_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_start_info=info))


def end(config: Mapping[str, Any], scores: Mapping[str, Any]) -> Iterator[Summary]:
    """The run has ended well, with these scores: the monitor and the first two metrics, as on the console.

    The tab shows five metrics, the first by their names; `best/` stands before all others.
    """
    metrics = list(config["stages"].values())[-1]["trainer"]["metrics"]
    for split in ("valid", "test"):
        for name in dict.fromkeys([scores["monitor"], *metrics[:2]]):
            if name in scores[split]:
                yield scalar(f"best/{split}_{name}", scores[split][name])
    info = plugin_data_pb2.SessionEndInfo(status=api_pb2.Status.STATUS_SUCCESS)
    yield _summary(metadata.SESSION_END_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_end_info=info))


def settings(config: Mapping[str, Any]) -> dict[str, bool | float | str]:
    """The keys that a run can be compared by, flat: those of the model and the trainer, of earlier stages by the
    stage's name, and the numbers of the dataset. A class is named, a list is its text, null is left out."""
    *earlier, last = config["stages"]
    flat: dict[str, Any] = {
        "model": summary.chain(config),
        "dataset": summary.dataset(config),
        "seed": config["seed"],
    }
    for stage in (last, *(stage for stage in earlier if config["stages"][stage].get("from") is None)):
        for part in ("model", "trainer"):
            flat |= run_folder.flat(config["stages"][stage][part], part if stage == last else f"{stage}.{part}")
    numbers = run_folder.flat(config["dataset"], "dataset").items()
    flat |= {name: value for name, value in numbers if isinstance(value, (int, float)) and not isinstance(value, bool)}
    return {_name(key): _value(key, value) for key, value in flat.items() if _counts(key, value)}


def _counts(key: str, value: Any) -> bool:
    return not (value is None or value == {} or LEFT_OUT.fullmatch(key))


def _name(key: str) -> str:
    return key.removesuffix("._target_")


def _value(key: str, value: Any) -> bool | float | str:
    if key.endswith("._target_"):
        return str(value).split(".")[-1]
    return value if isinstance(value, (bool, int, float)) else str(value)


def _summary(tag: str, content: plugin_data_pb2.HParamsPluginData) -> Summary:
    return Summary(value=[Summary.Value(tag=tag, metadata=metadata.create_summary_metadata(content))])

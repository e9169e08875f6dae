"""What finished runs say of where and when they were made, put together."""

import json
import os

from ctr.app.facts import facts


def finished(folder, day: int, torch: str = "2.13.0", threads: int = 1, **versions: str):
    folder.mkdir(parents=True)
    said = {"processor": "x86_64", "cores": 2, "instructions": "AVX2", "threads": threads, "kernels": "native"}
    (folder / "machine.json").write_text(json.dumps({**said, "versions": {"torch": torch, **versions}}))
    (folder / "scores.json").write_text("{}")
    os.utime(folder / "scores.json", (86400 * day, 86400 * day))
    return folder


def test_versions_stand_once_a_package_and_machines_once_with_their_runs_the_commonest_first(tmp_path):
    runs = [
        finished(tmp_path / "a", 1, torch="2.11.0", threads=2),
        finished(tmp_path / "b", 0),
        finished(tmp_path / "c", 1, sklearn="1.9"),
    ]
    assert facts(runs) == {
        "versions": ["torch 2.13.0, 2.11.0", "sklearn 1.9"],
        "machines": [
            "x86_64, 2 cores, AVX2, 1 thread a run, native kernels (2 runs)",
            "x86_64, 2 cores, AVX2, 2 threads a run, native kernels (1 run)",
        ],
        "days": ["1970-01-01", "1970-01-02"],
    }


def test_one_machine_for_all_has_no_number(tmp_path):
    runs = [finished(tmp_path / name, 0) for name in "ab"]
    assert facts(runs)["machines"] == ["x86_64, 2 cores, AVX2, 1 thread a run, native kernels"]


def test_a_run_without_a_record_says_its_day_alone(tmp_path):
    run = finished(tmp_path / "a", 0)
    (run / "machine.json").unlink()
    assert facts([run]) == {"versions": [], "machines": [], "days": ["1970-01-01"]}

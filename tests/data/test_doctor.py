"""The data doctor: what it counts is what pandas counts, what was planted is found, and clean data are called clean."""

import re
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from sklearn.metrics import r2_score, roc_auc_score

from ctr.data import Synthetic, doctor, from_frames
from ctr.data import rows as stored
from ctr.data.doctor import duplicates, examine
from ctr.data.doctor.fields import QUANTILES, SMOOTHING
from ctr.data.doctor.findings import findings
from ctr.data.doctor.page import page, write_page
from ctr.data.doctor_report import print_report
from ctr.data.field_names import shown

SPLITS = ("train", "valid", "test")
KINDS = {
    "user": {"kind": "categorical", "min_count": 3},
    "tags": {"kind": "multivalued", "separator": "|"},
    "price": "numeric",
    "bin": {"kind": "quantile", "bins": 5, "column": "price"},
    "hour": {"kind": "time", "part": "hour", "column": "when"},
    "bucket": {"kind": "hashed", "buckets": 4, "column": "user"},
    "line": {"kind": "piecewise_linear", "bins": 6, "column": "price"},
    "wave": {"kind": "periodic", "frequencies": 4, "column": "price"},
}


def frame(num_rows: int, seed: int, tokens: int = 12) -> pd.DataFrame:
    """Rows of text, some cells empty; users and prices know a little of the label."""
    random = np.random.default_rng(seed)
    user, price = random.integers(tokens, size=num_rows), random.normal(size=num_rows).round(2)
    chance = 0.2 + 0.3 * (user % 3 == 0) + 0.2 * (price > 0.5)
    tags = ["|".join(f"t{tag}" for tag in random.integers(6, size=random.integers(4))) for _ in range(num_rows)]
    return pd.DataFrame(
        {
            "label": (random.random(num_rows) < chance).astype(int).astype(str),
            "user": np.where(random.random(num_rows) < 0.1, "", user.astype(str)),
            "tags": tags,
            "price": np.where(random.random(num_rows) < 0.1, "", price.astype(str)),
            "when": (random.integers(0, 10**6, num_rows)).astype(str),
        }
    )


def three(num_rows: int = 400, **options) -> dict[str, pd.DataFrame]:
    return {split: frame(num_rows, seed, **options) for seed, split in enumerate(SPLITS)}


def inspect(frames, fields, **options):
    seen = examine(from_frames(*(frames[split] for split in SPLITS), fields=fields, **options))
    return seen, {field.name: field for field in seen.fields}, findings(seen)


def told(found, severity=None) -> str:
    return "\n".join(f"{f.where}: {f.what}" for f in found if severity in (None, f.severity))


def rates(train: pd.DataFrame, key: pd.Series) -> pd.Series:
    """The smoothed label rate by value, as its formula says."""
    labels = train.label.astype(float)
    sums, counts = labels.groupby(key).sum(), labels.groupby(key).count()
    return (sums + SMOOTHING * labels.mean()) / (counts + SMOOTHING)


def test_labels_and_tokens_are_counted_as_pandas_counts_them(monkeypatch):
    monkeypatch.setattr(stored, "SPAN", 64)  # several spans
    frames = three(tokens=150)
    seen, fields, _ = inspect(frames, KINDS)
    train, labels = frames["train"], frames["train"].label.astype(float)
    for split in SPLITS:
        assert seen.labels[split].rows == 400
        assert seen.labels[split].mean == pytest.approx(frames[split].label.astype(float).mean())
        assert seen.labels[split].std == pytest.approx(frames[split].label.astype(float).std(ddof=0))
    assert [part.mean for part in seen.order] == pytest.approx(labels.groupby(np.arange(400) // 20).mean().tolist())

    counts = train.user.value_counts()
    known = set(counts[counts >= 3].index) - {""}
    user = fields["user"]
    for split in SPLITS:
        cells = frames[split].user
        assert user.missing[split] == pytest.approx((cells == "").mean())
        assert user.known[split] == pytest.approx(cells.isin(known).mean())
        assert user.oov[split] == pytest.approx(1 - (cells == "").mean() - cells.isin(known).mean())
    as_known = train.user.where(train.user.isin(known), "(unseen or rare)").mask(train.user == "", "(missing)")
    expected = labels.groupby(as_known).agg(["count", "mean"])
    assert [value.count for value in user.top] == expected["count"].nlargest(10).tolist()
    for value in user.top:
        assert (value.count, value.mean) == (expected["count"][value.name], pytest.approx(expected["mean"][value.name]))
        assert value.share == value.count / 400
    share = as_known.value_counts(normalize=True)
    assert user.effective == pytest.approx(np.exp(-(share * np.log(share)).sum()))
    assert (user.num_seen, user.num_features) == (len(share), len(share))
    assert user.top_share == share.max()

    valid = frames["valid"]
    key = valid.user.where(valid.user.isin(known), "(unseen or rare)").mask(valid.user == "", "(missing)")
    score = key.map(rates(train, as_known))
    assert user.alone == pytest.approx(roc_auc_score(valid.label.astype(int), score))


def test_several_items_a_row(monkeypatch):
    monkeypatch.setattr(stored, "SPAN", 64)
    frames = three()
    frames["test"].loc[:9, "tags"] = "new|t1"
    _, fields, _ = inspect(frames, KINDS)
    train, valid, tags = frames["train"], frames["valid"], fields["tags"]
    assert tags.missing["valid"] == pytest.approx((valid.tags == "").mean())
    assert tags.oov == {"train": 0, "valid": 0, "test": 10 / 400}
    items = train[train.tags != ""].assign(tag=lambda rows: rows.tags.str.split("|")).explode("tag")
    counts = items.tag.value_counts()
    assert {value.name: value.count for value in tags.top} == counts.to_dict()
    labels = items.label.astype(float)
    by_tag = (labels.groupby(items.tag).sum() + SMOOTHING * train.label.astype(float).mean()) / (counts + SMOOTHING)
    score = [
        np.mean([by_tag[tag] for tag in cell.split("|")]) if cell else train.label.astype(float).mean()
        for cell in valid.tags
    ]
    assert tags.alone == pytest.approx(roc_auc_score(valid.label.astype(int), score))


def test_numbers_of_every_kind():
    frames = three(3000)
    _, fields, _ = inspect(frames, KINDS)
    price = pd.to_numeric(frames["train"].price)
    filled, number = price.fillna(0), fields["price"].number
    assert (number.low, number.high) == pytest.approx((filled.min(), filled.max()))
    assert number.mean == pytest.approx(filled.mean(), abs=1e-6)
    assert number.zeros == (filled == 0).mean()
    assert number.quantiles == pytest.approx(filled.quantile(list(QUANTILES)).tolist(), abs=1e-6)
    straight = roc_auc_score(frames["valid"].label.astype(int), pd.to_numeric(frames["valid"].price).fillna(0))
    assert fields["price"].alone >= straight > 0.5
    for name in ("line", "wave"):  # read back from their slots
        assert fields[name].missing["train"] == price.isna().mean()
        assert fields[name].number.mean == pytest.approx(price.mean(), abs=1e-4)
        assert fields[name].number.quantiles == pytest.approx(price.quantile(list(QUANTILES)).tolist(), abs=1e-4)
        assert fields[name].alone == pytest.approx(fields["price"].alone, abs=0.03)
    assert fields["bin"].missing["train"] == price.isna().mean()
    bins = pd.to_numeric(frames["train"].price)
    for value in fields["bin"].top:
        if value.name != "(missing)":
            low, high = (float(edge.replace("∞", "inf")) for edge in value.name[1:-1].split(", "))
            assert ((bins >= low) & (bins < high)).sum() == value.count
    hours = (pd.to_numeric(frames["train"].when) // 3600 % 24).value_counts()
    assert fields["hour"].top[0].count == hours.max()
    assert fields["hour"].top[0].name in {f"{hour} h" for hour in hours[hours == hours.max()].index}
    assert fields["bucket"].missing["test"] == (frames["test"].user == "").mean()


def test_samples_of_large_splits(monkeypatch):
    monkeypatch.setattr(stored, "SPAN", 64)
    monkeypatch.setattr(doctor, "SAMPLE", 100)
    frames = three(1000)
    _, fields, _ = inspect(frames, {"user": "categorical", "price": "numeric"})
    picked = np.linspace(0, 999, 100).astype(int)
    price = pd.to_numeric(frames["train"].price).fillna(0)
    assert fields["price"].number.quantiles == pytest.approx(price[picked].quantile(list(QUANTILES)).tolist(), abs=1e-6)
    assert fields["price"].number.mean == pytest.approx(price.mean(), abs=1e-6)  # of all rows
    score = frames["valid"].user.map(rates(frames["train"], frames["train"].user))
    expected = roc_auc_score(frames["valid"].label[picked].astype(int), score[picked])
    assert fields["user"].alone == pytest.approx(expected)


def test_regression_is_scored_by_r_squared():
    frames = three(2000)
    for rows in frames.values():
        rows["label"] = (pd.to_numeric(rows.user).fillna(5) * 2 + np.arange(2000) % 7).astype(str)
    seen, fields, found = inspect(frames, {"user": "categorical", "price": "numeric"}, labels="real")
    labels = frames["valid"].label.astype(float)
    expected = r2_score(labels, frames["valid"].user.map(rates(frames["train"], frames["train"].user)))
    assert seen.regression
    assert fields["user"].alone == pytest.approx(expected)
    assert "R²" in told(found, "warning")
    assert abs(fields["price"].alone) < 0.05


def test_clean_data_get_no_finding():
    frames = three(4000)
    fields = {name: kind for name, kind in KINDS.items() if name not in ("line", "wave", "bin", "bucket")}
    frames = {
        split: rows.assign(noise=np.random.default_rng(i).normal(size=4000))
        for i, (split, rows) in enumerate(frames.items())
    }
    _, _, found = inspect(frames, {**fields, "noise": "numeric"})
    assert found == []
    data = Synthetic(
        num_train=20000, num_valid=4000, num_test=4000, num_fields=10, vocabulary=100, zipf=1.05, effects=(1.0, 1.0),
        rank=2, rate=0.25, seed=1,
    ).open()  # fmt: skip
    assert findings(examine(data)) == []


def test_a_leak_is_found():
    frames = three()
    for rows in frames.values():
        rows["answer"] = rows.label.map({"0": "no", "1": "yes"})
        rows["score"] = -rows.label.astype(float) + np.linspace(0, 0.9, len(rows))
    seen, fields, found = inspect(frames, {"user": "categorical", "answer": "categorical", "score": "numeric"})
    assert fields["answer"].alone == fields["score"].alone == 1
    assert [field.name for field in seen.by_score][-1] == "user"
    leaks = [finding for finding in found if "predicts the label alone" in finding.what]
    assert {leak.where for leak in leaks} == {"fields.answer", "fields.score"}
    assert all(leak.severity == "warning" for leak in leaks)


def test_equal_rows_are_counted_as_pandas_counts_them(monkeypatch):
    monkeypatch.setattr(stored, "SPAN", 64)
    frames, columns = three(300, tokens=5), ["user", "tags", "price"]
    for rows in frames.values():
        rows["price"] = rows.price.str[:2].replace("-", "")  # few values, many equal rows
        rows["tags"] = rows.tags.str.split("|").map(sorted).str.join("|")
    frames["test"].iloc[:50] = frames["train"].iloc[:50]
    shuffled = {
        split: rows.assign(tags=rows.tags.str.split("|").map(lambda t: "|".join(t[::-1])))
        for split, rows in frames.items()
    }
    fields = {name: {"kind": "categorical"} if name != "tags" else KINDS["tags"] for name in columns}
    seen, _, _ = inspect({**frames, "valid": shuffled["valid"]}, fields)
    for split, rows in frames.items():
        labels = rows.groupby(columns).label.transform("nunique")
        within = seen.duplicates.within[split]
        assert within.repeats == rows.duplicated(columns).sum()
        assert within.twins == rows.duplicated(columns, keep=False).sum()
        assert within.conflicts == (labels > 1).sum()
    for later, earlier in (("valid", "train"), ("test", "train"), ("test", "valid")):
        there = frames[earlier].groupby(columns).label.agg(set)
        found = frames[later].set_index(columns).label
        found = found[found.index.isin(there.index)]
        across = seen.duplicates.across[later, earlier]
        assert across.found == len(found)
        assert across.conflicts == sum(there[key] != {label} for key, label in found.items())
    assert seen.duplicates.across["test", "train"].found >= 50


def test_a_sample_of_hashes_keeps_equal_rows_together(monkeypatch):
    monkeypatch.setattr(duplicates, "LIMIT", 3000)
    frames = three(2000, tokens=1000)
    for rows in frames.values():
        rows["user"] = np.random.default_rng(len(rows)).integers(10**6, size=len(rows)).astype(str)
        rows["user"] = rows.user.where(np.arange(2000) >= 1000, np.roll(rows.user, 1000))  # every row twice
    seen, _, _ = inspect(frames, {"user": "categorical"})
    within = seen.duplicates.within["train"]
    assert seen.duplicates.share == 0.5
    assert within.twins == within.rows
    assert 850 < within.rows < 1150


def test_planted_copies_are_found():
    frames = three(1000, tokens=10**6)
    frames["test"].iloc[:300] = frames["train"].iloc[:300]
    _, _, found = inspect(frames, dict.fromkeys(("user", "tags", "price"), "categorical"))
    assert "of its rows are also in train (3" in told(found, "warning")


def test_times_that_overlap_are_found():
    frames = three(1000)
    for i, rows in enumerate(frames.values()):
        rows["when"] = np.linspace(1000 * i, 1000 * i + 999, 1000).astype(str)
    when = {"column": "when", "format": "unix"}
    seen, _, found = inspect(frames, {"user": "categorical"}, time=when)
    assert (seen.times.later, seen.times.earlier) == (0, 0)
    assert "later than" not in told(found)
    assert sum(part.rows for part in seen.times.parts["train"]) == 1000

    frames["train"]["when"] = np.linspace(0, 4000, 1000).astype(str)
    seen, _, found = inspect(frames, {"user": "categorical"}, time=when)
    train, test = (pd.to_numeric(frames[split].when) for split in ("train", "test"))
    assert seen.times.later == (train > test.min()).mean()
    assert seen.times.earlier == (test < train.max()).mean() == 1
    assert f"time: {seen.times.later:.1%} of train's rows are later" in told(found, "warning")
    part = pd.cut(train, seen.times.edges, right=False, labels=False).fillna(19)
    means = frames["train"].label.astype(float).groupby(part.astype(int)).mean()
    assert [p.mean for p in seen.times.parts["train"]] == pytest.approx(means.tolist())


def test_constant_fields_identifiers_and_new_tokens_are_found():
    frames = three(1000)
    for i, rows in enumerate(frames.values()):
        rows["same"], rows["flat"], rows["row"], rows["day"] = "x", "0.5", [f"{i}-{n}" for n in range(1000)], f"day {i}"
    _, fields, found = inspect(
        frames,
        {"user": "categorical", "same": "categorical", "flat": "numeric", "row": "categorical", "day": "categorical"},
    )
    assert "fields same, flat, day: one value in nearly all rows" in told(found, "note")
    assert "fields row: nearly a value for each row: row 1,000 of 1,000 rows" in told(found, "warning")
    assert "most rows of test hold tokens that train has not: row 100%, day 100%" in told(found, "warning")
    assert fields["day"].oov == {"train": 0, "valid": 1, "test": 1}
    assert fields["user"].oov["test"] == 0


def test_a_train_file_sorted_by_label_and_a_test_of_another_rate_are_found():
    frames = three(2000)
    frames["train"] = frames["train"].sort_values("label", ignore_index=True)
    frames["test"]["label"] = np.where(np.arange(2000) % 20 == 0, "1", "0")
    _, _, found = inspect(frames, {"user": "categorical"})
    assert "train: the label rate changes along the file: 0 in part 1 of 20, 1 in part" in told(found, "warning")
    assert "test: label rate 0.05, in train" in told(found, "note")


def test_rejected_rows_and_small_splits_are_told():
    frames = three(300)
    frames["train"].loc[:5, "label"] = "maybe"
    seen, _, found = inspect(frames, {"user": "categorical"}, bad_rows="reject")
    assert seen.manifest["rows"]["read"] == 900
    assert "6 of 900 rows (0.67%) left out" in told(found)
    assert "standard error" in " ".join(finding.why for finding in found)


STRANGE = ["<script>alert(1)</script>", "$\\frac{a}$", "[bold]x[/nope]", "a\x1b[31m\x00b", "&amp;'\"", "\u202eright"]


def test_tokens_of_strangers_are_harmless(tmp_path):
    frames = three(120)
    for rows in frames.values():
        rows["user"] = np.resize(STRANGE, 120)
    name = "<b>it</b>"
    seen, _, found = inspect(frames, {"<i>f</i>": {"kind": "categorical", "column": "user"}, "price": "numeric"})
    out = tmp_path / "a" / "page.html"
    write_page(out, name, seen, found)
    text = out.read_text(encoding="utf-8")
    for bad in ("<script", "<b>it", "<i>f", "\x1b", "\x00", "\u202e"):
        assert bad not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "\\x1b[31m" in text


@pytest.mark.parametrize("token", STRANGE)
def test_tokens_of_strangers_do_not_reach_the_terminal(token):
    frames = three(120)
    for rows in frames.values():
        rows["user"] = np.resize([token, token, "usual"], 120)
    seen, _, found = inspect(frames, {"user": "categorical"})
    console = Console(width=160, file=StringIO())
    print_report(console, "[red]name[/blue]", seen, found)
    printed = console.file.getvalue()
    assert printed.startswith("[red]name[/blue]: 1 fields")
    assert "66.7% " + shown(token) in printed
    assert all(letter.isprintable() or letter == "\n" for letter in printed)


def test_a_page_has_plots_findings_and_is_written_whole(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    frames = three(300)
    seen, _, found = inspect(frames, KINDS, time={"column": "when", "format": "unix"})
    text = page("small", seen, found)
    assert text.count("<svg") == 4
    for finding in found:
        assert finding.severity in text
    assert not re.search(r"(src|href)=[^ ]*//|url\([^#]", text)  # it needs nothing else
    assert page("small", seen, found) == text

    out = tmp_path / "page.html"
    out.write_text("old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk")))
    with pytest.raises(OSError, match="disk"):
        write_page(out, "small", seen, found)
    assert out.read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


def test_what_is_undefined_is_said_to_be_so(tmp_path):
    frames = three(200)
    frames["valid"]["label"] = "0"
    frames["train"]["price"] = ""
    frames["valid"]["tags"] = ""
    seen, fields, found = inspect(frames, {name: KINDS[name] for name in ("user", "tags", "price")})
    assert np.isnan([field.alone for field in seen.fields]).all()
    assert "valid: all 200 labels are 0" in told(found)
    assert fields["price"].number.zeros == 1
    assert "undefined" in page("undefined", seen, found)


def test_a_field_that_predicts_the_wrong_way_round_is_found():
    """Every user has one positive to two negatives over all rows: more of them in train leave fewer for valid."""
    random = np.random.default_rng(0)
    rows = pd.DataFrame(
        {"user": np.repeat(np.arange(600), 9).astype(str), "label": np.tile([1, 0, 0], 1800).astype(str)}
    )
    rows = rows.iloc[random.permutation(len(rows))]
    frames = {"train": rows[:3000], "valid": rows[3000:], "test": frame(2400, 1)}
    _, fields, found = inspect(frames, {"user": "categorical"})
    assert fields["user"].alone < 0.45
    assert "the label rates of train predict valid the wrong way round: user" in told(found, "note")


def test_fields_that_share_a_vocabulary_are_counted_apart():
    frames = {split: rows.assign(last=rows.user[::-1].to_numpy()) for split, rows in three().items()}
    for rows in frames.values():
        rows.loc[:199, "last"] = "7"
    _, fields, _ = inspect(frames, {"user": "categorical", "last": {"kind": "categorical", "share": "user"}})
    for name in ("user", "last"):
        counts = frames["train"][name].replace("", "(missing)").value_counts()
        assert [value.count for value in fields[name].top] == counts[:10].tolist()
        assert all(counts[value.name] == value.count for value in fields[name].top)
    assert fields["last"].top[0].name == "7"


def test_dropped_negatives_and_rows_that_look_alike_are_told():
    frames = three(2000)
    seen, _, found = inspect(frames, {"user": "categorical"}, negatives={"keep": 0.5, "seed": 1})
    dropped = seen.manifest["rows"]["dropped_negatives"]
    assert f"train: {dropped:,} negatives dropped, 0.5 of them kept" in told(found, "note")
    assert "train: 100.0% of the rows have an equal row, 100.0% one of another label" in told(found, "note")

"""Bad input never trains silently: every refusal names the file, the place and what was expected."""

import gzip
import random
import shlex
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from pyarrow import parquet

from ctr.errors import UserError
from tests.data.readers.test_libfm import open_libfm
from tests.data.test_table import open_table

FIELDS = {"user": "categorical", "price": "numeric"}
Z_SCORE = {"price": {"kind": "numeric", "transform": "z_score"}}
SPLITS = ("train", "valid", "test")
GOOD = "label,user,price\n1,ann,1.5\n0,bob,2\n"


def refusal(call, folder: Path, *texts, **changes) -> str:
    """The message, with paths from the folder: the name of a test's folder would satisfy its test."""
    with pytest.raises(UserError) as refused:
        call(folder, *texts, **changes)
    return str(refused.value).replace(f"{folder}/", "").replace(str(folder), "the folder")


# --- the text of a Table: (content, changed settings, what the message has to contain) ---

TEXTS = {
    "a missing column": ("label,usr,price\n1,a,1\n", {}, ["no column 'user'", "the file has label, usr", "mean 'usr'"]),
    "a missing label": ("click,user,price\n1,a,1\n", {}, ["no column 'label'", "the file has click, user, price"]),
    "a missing group column": (GOOD, {"group": "userr"}, ["no column 'userr'", "did you mean 'user'"]),
    "another delimiter": (GOOD, {"reader": {"format": "csv", "delimiter": ";"}}, ["no column", "label,user,price"]),
    "a column twice": ("label,user,price,user\n1,a,1,b\n", {}, ["columns must differ", "user"]),
    "another column twice": ("label,user,price,x,x\n1,a,1,b,c\n", {}, ["columns must differ", "x"]),
    "a short row": (GOOD + "1,ann\n1,ann,3\n", {}, ["line 4", "expected 3 columns, found 2", "'1,ann'"]),
    "a long row": (GOOD + "1,ann,3,4\n1,ann,3\n", {}, ["line 4", "expected 3 columns, found 4", "'1,ann,3,4'"]),
    "a truncated last line": (GOOD + "1,a", {}, ["line 4", "expected 3 columns, found 2", "'1,a'"]),
    "an open quote in the header": ('label,"user,price\n' + "1,ann,2\n" * 30_000, {}, ["column"]),
    "an open quote": (GOOD + '1,"ann,3\n1,bob,2\n', {}, ["line 4", "quotes", '1,"ann,3', "reader.quote=null"]),
    "a stray quote": (GOOD + '1,5" pipe,3\n1,bob,2\n', {}, ["line 4", "quotes", '5" pipe', "reader.quote=null"]),
    "invalid UTF-8": (GOOD.encode() + b"1,\xff\xfe,3\n", {}, ["line 4", "expected UTF-8"]),
    "UTF-16": (GOOD.encode("utf-16"), {}, ["column names is not UTF-8"]),
    "label 2": (GOOD + "2,ann,3\n2,ann,3\n", {}, ["column 'label'", "line 4", "0 or 1", "'2'", "2 such rows"]),
    "label -1": (GOOD + "-1,ann,3\n", {}, ["column 'label'", "line 4", "0 or 1", "'-1'", "task=regression"]),
    "label 0.5": (GOOD + "0.5,ann,3\n", {}, ["column 'label'", "line 4", "0 or 1", "'0.5'"]),
    "an empty label": (GOOD + ",ann,3\n", {}, ["column 'label'", "line 4", "empty", "expected a number"]),
    "a text label": (GOOD + "yes,ann,3\n", {}, ["column 'label'", "line 4", "finite number", "'yes'", "mend the file"]),
    "a NaN label": (GOOD + "nan,ann,3\n", {"labels": "real"}, ["column 'label'", "line 4", "expected a finite number"]),
    "a label too large": (GOOD + "1e39,ann,3\n", {"labels": "real"}, ["column 'label'", "line 4", "1e39"]),
    "a text number": (GOOD + "1,ann,cheap\n", {}, ["column 'price'", "line 4", "expected a finite number", "'cheap'"]),
    "a nan": (GOOD + "1,ann,nan\n", {}, ["column 'price'", "line 4", "expected a finite number", "'nan'"]),
    "an inf": (GOOD + "1,ann,-inf\n", {}, ["column 'price'", "line 4", "expected a finite number", "'-inf'"]),
    "NA for a number": (GOOD + "1,ann,NA\n", {}, ["column 'price'", "line 4", "expected a finite number", "'NA'"]),
    "a number too large for float32": (GOOD + "1,ann,1e39\n", {}, ["column 'price'", "line 4", "1e39"]),
    "a negative weight": (GOOD + "1,ann,-3\n", {"weight": "price"}, ["column 'price'", "line 4", "negative", "-3"]),
    "an empty weight": (GOOD + "1,ann,\n", {"weight": "price"}, ["column 'price'", "line 4", "empty"]),
    "weights that are all 0": ("label,user,price\n1,a,0\n0,b,0\n", {"weight": "price"}, ["column 'price'", "weight"]),
    "a header only": ("label,user,price\n", {}, ["split is empty", "at least one row"]),
    "an empty file": ("", {}, ["empty"]),
    "a bad time": (GOOD, {"time": {"column": "user", "format": "unix"}}, ["column 'user'", "line 2", "'ann'"]),
    "an unmapped label": (GOOD, {"label_values": {"yes": 1}}, ["line 2", "one of label_values", "give it a number"]),
    "one class": ("label,user,price\n1,a,1\n1,b,2\n", {}, ["column 'label'", "all labels", "are 1", "both classes"]),
}  # fmt: skip


LABELS = {
    "yes no": "'dataset.label_values={yes: 1, no: 0}'",
    "off on": "'dataset.label_values={on: 1, off: 0}'",
    "click click": "'dataset.label_values={click: 1}'",
    "e a d c b": "'dataset.label_values={e: 1, d: 0, c: 0, b: 0, ...}'",
    "True False": 'label_values: {"True": 1, "False": 0} in the dataset\'s YAML file',
    "<=50K >50K": 'label_values: {">50K": 1, "<=50K": 0} in the dataset\'s YAML file',
    "ja jä": 'label_values: {"jä": 1, "ja": 0} in the dataset\'s YAML file',
}


@pytest.mark.parametrize("labels", ["binary", "real"])
@pytest.mark.parametrize("texts", LABELS)
def test_labels_that_are_texts_are_told_of_label_values_and_not_of_leaving_them_out(tmp_path, texts, labels):
    text = "label,user,price\n" + "".join(f"{label},ann,1\n" for label in [*texts.split(), ""])
    message = refusal(open_table, tmp_path, text, fields=FIELDS, labels=labels)
    assert f"expected a finite number; found '{texts.split()[0]}'" in message
    assert message.endswith(f"these labels are texts: say which number each of them is, as in {LABELS[texts]}")
    assert "bad_rows" not in message


@pytest.mark.parametrize("texts", [texts for texts in LABELS if "..." not in LABELS[texts]])
def test_the_label_values_that_a_refusal_shows_are_what_hydra_and_yaml_read(tmp_path, texts):
    example = LABELS[texts]
    if example.startswith("'"):
        values = OverridesParser.create().parse_override(example.strip("'")).value()
    else:
        values = yaml.safe_load(example.removesuffix(" in the dataset's YAML file"))["label_values"]
    assert values == {text: int(text == max(texts.split())) for text in texts.split()}
    text = "label,user,price\n" + "".join(f"{label},ann,1\n" for label in texts.split())
    if len(values) > 1:
        data = open_table(tmp_path, text, fields=FIELDS, label_values=values)
        assert data.rows("train").labels.tolist() == [values[label] for label in texts.split()]


@pytest.mark.parametrize("label", ["nan", "x" * 50])
def test_labels_that_are_no_names_of_anything_are_told_as_ever(tmp_path, label):
    message = refusal(open_table, tmp_path, f"label,user,price\n{label},ann,1\n", fields=FIELDS)
    assert "mend the file, or leave such rows out" in message


@pytest.mark.parametrize(
    ("train", "told"),
    [
        ("label,user,price\n1,a,0\n0,b,0\n", ["train.csv, column 'price'", "all weights of the train split are 0"]),
        (
            "label,user,price\n1,a,0\n0,b,2\n0,c,1\n",
            ["column 'label'", "column 'price', is above 0 are 0", "both classes"],
        ),
        ("label,user,price\n1,a,3\n0,b,0\n0,c,1e-60\n", ["column 'price', is above 0 are 1", "both classes"]),
    ],
    ids=["all 0", "no positive", "no negative that 32 bits can weigh"],
)
def test_rows_of_train_without_weight_teach_nothing_whatever_valid_weighs(tmp_path, train, told):
    message = refusal(open_table, tmp_path, train, GOOD, fields={"user": "categorical"}, weight="price")
    for part in told:
        assert part in message


def test_weights_of_a_regression_need_no_classes(tmp_path):
    text = "label,user,price\n1,a,0\n0.5,b,2\n"
    data = open_table(tmp_path, text, fields={"user": "categorical"}, weight="price", labels="real")
    assert data.rows("train").weights.tolist() == [0, 2]


@pytest.mark.parametrize("case", TEXTS)
def test_a_table_refuses(tmp_path, case):
    text, changes, told = TEXTS[case]
    message = refusal(open_table, tmp_path, text, **{"fields": FIELDS} | changes)
    for part in ["train.csv", *told]:
        assert part.lower() in message.lower()


def test_a_z_score_of_nothing_is_refused_by_field(tmp_path):
    message = refusal(open_table, tmp_path, "label,price\n1,\n0,\n", fields=Z_SCORE)
    assert "field 'price'" in message
    assert "needs numbers" in message


@pytest.mark.parametrize("text", ["label,user,price\n", ""])
def test_an_empty_valid_split_is_refused_by_name(tmp_path, text):
    message = refusal(open_table, tmp_path, GOOD, text, fields=FIELDS)
    assert "valid.csv" in message
    assert "empty" in message


def test_a_blank_line_does_not_shift_the_line_that_is_named(tmp_path):
    message = refusal(open_table, tmp_path, GOOD + "\n1,ann,cheap\n", fields=FIELDS)
    assert ("line 5" if "cheap" in message else "line 4") in message  # it is counted, or refused


def test_an_error_in_valid_names_valid(tmp_path):
    message = refusal(open_table, tmp_path, GOOD, GOOD + "1,ann,cheap\n", fields=FIELDS)
    assert "valid.csv, column 'price', line 4" in message


def test_a_valid_split_of_one_class_is_allowed(tmp_path):
    assert len(open_table(tmp_path, GOOD, "label,user,price\n1,a,1\n", fields=FIELDS).rows("valid")) == 1


# --- fields and other settings of a Table ---

SPECS = {
    "an unknown kind": ("catagorical", ["categorical", "catagorical"]),
    "no kind": ({"min_count": 2}, ["kind must be one of", "categorical", "numeric"]),
    "nothing": (None, ["kind", "categorical"]),
    "a number": (5, ["kind", "categorical"]),
    "a list": (["categorical"], ["kind", "categorical"]),
    "a misspelled option": ({"kind": "categorical", "mincount": 2}, ["'mincount'", "did you mean 'min_count'"]),
    "an option of another kind": ({"kind": "numeric", "separator": "|"}, ["'separator'", "transform"]),
    "no separator": ({"kind": "multivalued"}, ["separator"]),
    "an empty separator": ({"kind": "multivalued", "separator": ""}, ["separator", "empty"]),
    "a separator that is no text": ({"kind": "multivalued", "separator": 1}, ["separator"]),
    "an unknown pooling": ({"kind": "multivalued", "separator": "|", "pooling": "max"}, ["sum, mean", "'max'"]),
    "max_items 0": ({"kind": "multivalued", "separator": "|", "max_items": 0}, ["max_items"]),
    "max_items below 0": ({"kind": "multivalued", "separator": "|", "max_items": -1}, ["max_items"]),
    "max_items 2.5": ({"kind": "multivalued", "separator": "|", "max_items": 2.5}, ["max_items"]),
    "min_count as text": ({"kind": "categorical", "min_count": "two"}, ["min_count"]),
    "an unknown transform": ({"kind": "numeric", "transform": "logs"}, ["raw, z_score, min_max, log", "'logs'"]),
}


@pytest.mark.parametrize("case", SPECS)
def test_a_field_that_cannot_be_is_refused_by_name(tmp_path, case):
    spec, told = SPECS[case]
    message = refusal(open_table, tmp_path, GOOD, fields={"user": spec})
    for part in ["'user'", *told]:
        assert part in message


def test_a_table_without_fields_is_refused(tmp_path):
    assert "at least one field" in refusal(open_table, tmp_path, GOOD, fields={})


@pytest.mark.parametrize("delimiter", ["", "||", "\\t"], ids=["empty", "two bars", "backslash and t"])
def test_a_delimiter_is_one_character(tmp_path, delimiter):
    message = refusal(open_table, tmp_path, GOOD, reader={"format": "csv", "delimiter": delimiter})
    assert "delimiter" in message
    assert repr(delimiter) in message


RANDOM = {"by": "random", "valid": 0.1, "test": 0.1}
NO_FILES = {"valid": None, "test": None}
SETTINGS = {
    "no valid rows": ({"valid": None}, ["valid has no files", "{by: random"]),
    "valid rows twice": ({"split": RANDOM, "test": None}, ["valid has files of its own", "choose one"]),
    "test by fold and file": ({"split": {"by": "fold", "fold": 1}, "valid": None}, ["test has files", "choose one"]),
    "an unknown way to split": (NO_FILES | {"split": {"by": "rows"}}, ["split.by must be one of order", "'rows'"]),
    "a misspelled option of a split": (NO_FILES | {"split": RANDOM | {"sed": 1}}, ["'sed'", "did you mean 'seed'"]),
    "a share of 1": (NO_FILES | {"split": RANDOM | {"valid": 1}}, ["split.valid must be a share", "1"]),
    "shares of all": (NO_FILES | {"split": RANDOM | {"valid": 0.5, "test": 0.5}}, ["nothing to train on"]),
    "a fold that is none": (NO_FILES | {"split": {"by": "fold", "fold": 6}}, ["split.fold must be one of 1 to 5", "6"]),
    "a split by no time": (NO_FILES | {"split": RANDOM | {"by": "time"}}, ["time"]),
    "a time without a format": ({"time": {"column": "user"}}, ["time must be null or {column", "user"]),
    "another policy": ({"bad_rows": "ignore"}, ["bad_rows must be refuse or reject", "'ignore'"]),
    "a share of no negatives": ({"negatives": {"keep": 0, "seed": 1}}, ["negatives must be null or {keep"]),
    "a share without a seed": ({"negatives": {"keep": 0.5}}, ["negatives must be null or {keep"]),
    "negatives of numbers": ({"negatives": {"keep": 0.5, "seed": 1}, "labels": "real"}, ["only binary labels"]),
    "a label value that is none": ({"label_values": {"a": "b"}}, ["label_values must give a number", "'b'"]),
    "an unknown format": ({"reader": "excel"}, ["format must be one of", "'excel'"]),
    "a missing fold": (
        NO_FILES | {"split": {"by": "fold", "fold": 9, "column": "user"}},
        ["split.fold=9", "column 'user'", "ann, bob"],
    ),
    "a missing split column": (
        NO_FILES | {"split": {"by": "group", "column": "usr", "valid": 0.5}, "test": "test.csv"},
        ["no column 'usr'", "did you mean 'user'"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SETTINGS)
def test_settings_that_cannot_be_are_refused(tmp_path, case):
    changes, told = SETTINGS[case]
    message = refusal(open_table, tmp_path, GOOD, **{"fields": FIELDS} | changes)
    for part in told:
        assert part in message


# --- files ---


@pytest.mark.parametrize("call", [open_table, open_libfm])
def test_a_missing_folder_tells_how_to_get_the_data(tmp_path, call):
    message = refusal(call, tmp_path, "", root=str(tmp_path / "none"), source="Run get_data.sh.")
    for part in ["dataset.root is 'none'", "CTR_DATA", "Run get_data.sh."]:
        assert part in message


@pytest.mark.parametrize("call", [open_table, open_libfm])
def test_a_missing_file_tells_what_is_there(tmp_path, call):
    message = refusal(call, tmp_path, GOOD, train="trian.csv", source="Run get_data.sh.")
    for part in ["no file 'trian.csv' in 'the folder'", "test.", "train.", "valid.", "Run get_data.sh."]:
        assert part in message


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_missing_valid_or_test_file_beside_train_tells_how_to_cut_it(tmp_path, split):
    message = refusal(open_table, tmp_path, GOOD, source="Run get_data.sh.", **{split: "none.csv"})
    cure = "dataset.valid=null dataset.test=null 'dataset.split={by: random, valid: 0.1, test: 0.1}'"
    for part in ["no file 'none.csv' in 'the folder'", cure, "Run get_data.sh."]:
        assert part in message
    assert "dataset.root" not in message
    (valid, test, split), parse = shlex.split(cure), OverridesParser.create().parse_override
    changes = {parse(one).key_or_group.removeprefix("dataset."): parse(one).value() for one in (valid, test, split)}
    data = open_table(tmp_path, GOOD + "1,eve,2\n" * 18, fields=FIELDS, **changes)
    assert [len(data.rows(split)) for split in SPLITS] == [16, 2, 2]


def packed(header: str, line: str) -> bytes:
    """A gzip of 3,000 lines that does not pack to nothing, so that it can be cut in the middle."""
    numbers = random.Random(0)
    lines = (line.format(label=i % 2, id=numbers.randrange(10**9)) for i in range(3000))
    return gzip.compress((header + "".join(lines)).encode())


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(byte ^ 255 for byte in content[middle : middle + 2]) + content[middle + 2 :]


BROKEN = {
    "cut in the middle": lambda content: content[: len(content) // 2],
    "cut in the checksum": lambda content: content[:-6],
    "two bytes flipped": flipped,
    "no gzip at all": gzip.decompress,
}


PACKED = {
    "csv": (open_table, GOOD, packed("label,user,price\n", "{label},{id},1\n")),
    "libfm": (open_libfm, "1 3:1\n0 4:1\n", packed("", "{label} {id}:1\n")),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("form", PACKED)
def test_a_broken_gzip_is_refused(tmp_path, form, case):
    call, good, content = PACKED[form]
    file = tmp_path / f"broken.{form}.gz"
    file.write_bytes(content)
    assert len(call(tmp_path, good, train=file.name).rows("train")) == 3000  # whole, it is read
    file.write_bytes(BROKEN[case](content))
    assert file.name in refusal(call, tmp_path, good, train=file.name)


@pytest.mark.parametrize("others", [{"days": []}, {}], ids=["an empty folder", "a pattern of nothing"])
def test_a_name_of_no_files_is_refused(tmp_path, others):
    for folder in others:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "_SUCCESS").touch()
    name = "days" if others else "day_*.csv"
    assert f"no file '{name}' in 'the folder'" in refusal(open_table, tmp_path, GOOD, train=name)


def in_parquet(folder: Path, **columns) -> str:
    """The refusal of a Parquet train file of these columns."""
    parquet.write_table(pa.table({"label": [1, 0], "user": ["a", "b"]} | columns), folder / "train.parquet")
    fields = dict.fromkeys(columns, "numeric") if "price" in columns else {"user": "categorical"}
    return refusal(open_table, folder, GOOD, fields=fields, reader="parquet", **dict.fromkeys(SPLITS, "train.parquet"))


@pytest.mark.parametrize("cells", [[["a", "b"], ["c"]], [{"id": 1}, {"id": 2}]], ids=["lists", "structs"])
def test_nested_parquet_columns_are_refused_by_name(tmp_path, cells):
    message = in_parquet(tmp_path, user=cells)
    assert "train.parquet" in message
    assert "user" in message


def test_a_parquet_cell_is_named_by_its_row(tmp_path):
    message = in_parquet(tmp_path, price=["1", "cheap"])
    assert "train.parquet, column 'price'" in message
    assert "row 2" in message  # there is no line 3 in a Parquet file
    assert "expected a finite number; found 'cheap'" in message


def test_a_file_that_is_only_called_parquet_is_refused(tmp_path):
    (tmp_path / "train.parquet").write_text(GOOD)
    message = refusal(open_table, tmp_path, GOOD, reader="parquet", train="train.parquet")
    assert "train.parquet" in message
    assert "not a parquet file" in message.lower()


# --- the text of a LibFM ---

LINES = {
    "two colons": ("1 3:1:2", ["line 3", "expected LABEL ID:VALUE", "'1 3:1:2'"]),
    "no value": ("1 3", ["line 3", "expected LABEL ID:VALUE"]),
    "an empty value": ("1 3:", ["line 3", "expected LABEL ID:VALUE"]),
    "no id": ("1 :1", ["line 3", "expected LABEL ID:VALUE"]),
    "no label": ("3:1 4:1", ["line 3", "expected LABEL ID:VALUE"]),
    "a comma": ("1,3:1", ["line 3", "expected LABEL ID:VALUE"]),
    "a negative id": ("1 -3:1", ["line 3", "expected LABEL ID:VALUE"]),
    "a text id": ("1 ann:1", ["line 3", "expected LABEL ID:VALUE"]),
    "a ranking file": ("1 qid:7 3:1", ["line 3", "expected LABEL ID:VALUE"]),
    "an id beyond int64": ("1 9223372036854775808:1", ["line 3", "below 2^63", "9223372036854775808"]),
    "an id of 5,000 digits": (f"1 {'9' * 5000}:1", ["line 3", "below 2^63"]),
    "an id twice": ("1 3:1 4:1 3:2", ["line 3", "twice"]),
    "a text value": ("1 3:x", ["line 3", "expected", "3:x"]),
    "a value of Python's": ("1 3:1_0", ["line 3", "expected", "1_0"]),
    "a text label": ("yes 3:1", ["line 3", "expected", "yes"]),
    "a nan": ("1 3:nan", ["line 3", "finite", "'1 3:nan'"]),
    "an inf": ("1 3:1 4:-inf", ["line 3", "finite"]),
    "a value too large for float32": ("1 3:1e39", ["line 3", "1e39"]),
    "a NaN label": ("nan 3:1", ["line 3", "finite"]),
    "label 2": ("2 3:1", ["line 3", "0 and 1, or -1 and 1", "found '2'", "task=regression"]),
    "three labels": ("-1 3:1", ["labels must be 0 and 1, or -1 and 1", "found -1, 0 and 1", "task=regression"]),
}


@pytest.mark.parametrize("case", LINES)
def test_a_libfm_line_is_refused(tmp_path, case):
    text, told = LINES[case]
    message = refusal(open_libfm, tmp_path, f"1 3:1\n0 4:1\n{text}\n1 5:1\n")
    for part in ["train.libfm", *told]:
        assert part in message
    assert len(message) < 600  # the line is not poured out


def test_libfm_lines_are_counted_with_comments_and_blank_ones(tmp_path):
    assert "train.libfm, line 5:" in refusal(open_libfm, tmp_path, "# a\n\n1 3:1\n0 4:1\n1 3\n")


FILES = {
    "an empty file": ("", {}, ["split is empty", "at least one row"]),
    "comments only": ("# nothing\n\n", {}, ["split is empty", "at least one row"]),
    "one class": ("-1 3:1\n-1 4:1\n", {}, ["all labels", "are 0", "both classes"]),
    "an id before the first field": (
        "1 12:1\n0 3:1\n",
        {"starts": {"user": 10}},
        ["line 2", "first field", "user", "10", "'0 3:1'"],
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_a_libfm_file_is_refused(tmp_path, case):
    text, changes, told = FILES[case]
    message = refusal(open_libfm, tmp_path, text, **changes)
    for part in ["train.libfm", *told]:
        assert part in message


def test_more_stray_quotes_than_any_accident_are_refused_by_file(tmp_path):
    strays = '1,5" pipe,3\n' * 1001
    message = refusal(open_table, tmp_path, GOOD + strays, fields=FIELDS, bad_rows="reject")
    for part in ["train.csv", "1,000", "reader.quote=null"]:
        assert part in message


@pytest.mark.parametrize("part", ["train", "valid"])
def test_where_every_row_is_left_out_the_first_is_told_and_why(tmp_path, part):
    texts = {"train": GOOD, "valid": GOOD, part: "label,user,price\nyes,ann,1.5\nno,bob,2\n"}
    message = refusal(open_table, tmp_path, *texts.values(), fields=FIELDS, bad_rows="reject")
    for told in [f"{part}.csv", f"all 2 rows of {part}", "line 2", "'label'", "'yes'", "dataset.bad_rows=refuse"]:
        assert told in message


def test_libfm_that_is_not_utf_8_is_refused_with_its_line(tmp_path):
    (tmp_path / "bytes.libfm").write_bytes(b"1 3:1\n0 \xff:1\n")
    message = refusal(open_libfm, tmp_path, "1 3:1\n0 4:1\n", train="bytes.libfm")
    for part in ["bytes.libfm", "line 2", "utf-8"]:
        assert part in message.lower()

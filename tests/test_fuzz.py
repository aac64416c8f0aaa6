"""Thousands of broken files: each is answered by a result or by a message that names the place.

Every case is made from a seed, so that a failing one can be made again; the message of a failure
shows the mutations and the shortest way to the text.
"""

from __future__ import annotations

import faulthandler
import json
import re
import resource
import signal
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from pkmodel.cli import main
from pkmodel.output_folder import FIT_FILES

pytestmark = pytest.mark.slow


SEED = 20
CHUNKS = 8
SECONDS = 20.0
MEMORY = 6 * 2**30
PLACE = re.compile(
    r"line \d|column|covariate|subject|\[\w+|at end of document|title:|no such file|no rows?"
    r"|is empty|in UTF-|parquet|is a folder|unknown key",
    re.IGNORECASE,
)

CSV = """\
ID,TIME,AMT,RATE,EVID,II,ADDL,SS,DV,CENS,WT
1,0,100,50,1,0,0,0,.,0,1.2
1,1,0,0,0,0,0,0,4.2,0,1.2
1,4,0,0,0,0,0,0,6.9,0,1.3
1,12,0,0,0,0,0,0,2.8,0,1.4
2,0,100,0,1,12,2,0,.,0,0.9
2,2,0,0,0,0,0,0,9.1,0,0.9
2,30,0,0,0,0,0,0,4.5,0,1
3,0,80,40,1,0,0,0,.,0,1
3,3,0,0,0,0,0,0,6.1,0,1
3,9,0,0,0,0,0,0,1.0,1,1
4,0,60,0,1,8,0,1,.,0,1.1
4,1.5,0,0,0,0,0,0,8.0,0,1.1
4,6,0,0,0,0,0,0,5.2,0,1.1
"""

DEFINITION = {
    "title": "Broken on purpose",
    "data": {
        "file": "data.csv",
        "units": {"time": "h", "amount": "mg", "concentration": "mg/L"},
    },
    "model": {
        "structure": "one_compartment",
        "parameters": {"CL": "cl * WT", "V": "v * WT**v_wt"},
    },
    "theta": {
        "cl": {"init": 1.0, "lower": 0},
        "v": {"init": 9.0, "lower": 0, "upper": 100},
        "v_wt": {"init": 1.0, "fixed": True},
    },
    "omega": {"blocks": [{"parameters": ["CL", "V"], "matrix": [[0.1], [0.02, 0.1]]}]},
    "residual": {"additive": 0.3, "proportional": 0.2},
    "fit": {"method": "focei", "seed": 1, "max_evaluations": 20, "covariance": "none"},
}


# -- definitions as text ----------------------------------------------------------------------


def inline(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key(k)} = {inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)


def dumps(definition: dict) -> str:
    plain = [f"{key(k)} = {inline(v)}" for k, v in definition.items() if not isinstance(v, dict)]
    for k, v in definition.items():
        if isinstance(v, dict):
            plain += [f"[{key(k)}]", *(f"{key(a)} = {inline(b)}" for a, b in v.items())]
    return "\n".join(plain) + "\n"


# -- mutations of text and bytes --------------------------------------------------------------

Rng = np.random.Generator
WORDS = [
    "", ".", "NA", "nan", "inf", "-inf", "1e308", "-1e308", "1e-320", "1e400", "-1", "0", "1",
    "2", "3", "4", "5", "999999999", "9223372036854775808", "0x10", "1_000", "1,5", "1.5", "abc",
    "é", "１２", "\u0661", "\u202e", "\x00", '"', '"a', "'", "=1+1", "true", "08:30", "2020-01-01",
    "1 2", " 3 ", "+7", "1e", "--1", "#", ";", "\t", "<100", "BLQ", "-0", "1e5", "1e-12", "1e15",
    "\ufeff", "ID", "TIME", "a" * 300,
]  # fmt: skip
PIECES = [
    b"\x00", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\r", b"\n", b"\r\n", b"\n\n", b",", b",,",
    b";", b"\t", b'"', b"'", b"[", b"]", b"{", b"}", b"=", b"#", b"\\", b"\xc3\x28",
    b"\xf0\x9f\x92\x8a", b"1e999", b"-", b" ",
]  # fmt: skip


def pick(rng: Rng, options: list):
    return options[int(rng.integers(len(options)))]


def some_bytes(rng: Rng, raw: bytes) -> bytes:
    """Change, remove, insert or double a piece of the file, or cut its end off."""
    at = int(rng.integers(len(raw) + 1))
    end = min(len(raw), at + int(rng.integers(1, 12)))
    kind = int(rng.integers(6))
    if kind == 0:
        return raw[:at] + bytes(rng.integers(0, 256, end - at, dtype=np.uint8)) + raw[end:]
    if kind == 1:
        return raw[:at] + raw[end:]
    if kind == 2:
        return raw[:at] + pick(rng, PIECES) + raw[at:]
    if kind == 3:
        return raw[:at] + raw[at:end] * int(rng.integers(2, 6)) + raw[end:]
    if kind == 4:
        return raw[:at]
    return raw[:at] + bytes([int(rng.integers(32, 127))]) + raw[at + 1 :]


def whole_file(rng: Rng, raw: bytes) -> bytes:
    """Change what concerns the file as a whole: separators, line ends, encoding, emptiness."""
    changes: list[Callable[[bytes], bytes]] = [
        lambda b: b.replace(b",", b";"),
        lambda b: b.replace(b",", b"\t"),
        lambda b: b.replace(b",", b" "),
        lambda b: b.replace(b",", b"|"),
        lambda b: b.replace(b".", b",").replace(b",", b";"),
        lambda b: b.replace(b"\n", b"\r\n"),
        lambda b: b.replace(b"\n", b"\r"),
        lambda b: b.replace(b"\n", b""),
        lambda b: b.decode("utf-8", "replace").encode("utf-16"),
        lambda b: b.decode("utf-8", "replace").encode("utf-32"),
        lambda b: b"\xef\xbb\xbf" + b,
        lambda b: b"",
        lambda b: b"\n",
        lambda b: b"\x00" * 100,
        lambda b: bytes(rng.integers(0, 256, 400, dtype=np.uint8)),
        lambda b: b.split(b"\n", 1)[0] + b"\n",
        lambda b: b.split(b"\n", 1)[-1],
        lambda b: b + b,
        lambda b: b.lower(),
        lambda b: b"\n" + b,
        lambda b: b"# comment\n" + b,
        lambda b: b.replace(b"0", b"O"),
        lambda b: b.replace(b",", b",,"),
        lambda b: b.replace(b",", b" , "),
        lambda b: b"PAR1" + b,
    ]
    return pick(rng, changes)(raw)


def cells(rng: Rng, rows: list[list[str]]) -> list[list[str]]:
    """Change cells, rows and columns of a table."""
    rows = [list(row) for row in rows]
    i, j = int(rng.integers(len(rows))), int(rng.integers(len(rows[0])))
    row = rows[i]
    j = min(j, len(row) - 1)
    other = int(rng.integers(len(rows)))
    kind = int(rng.integers(12))
    if kind <= 4:
        row[j] = pick(rng, WORDS)
    elif kind == 5:
        del row[j]
        if not row:
            row.append("")
    elif kind == 6:
        row.insert(j, pick(rng, WORDS))
    elif kind == 7:
        rows[i], rows[other] = rows[other], rows[i]
    elif kind == 8:
        rows.insert(i, list(rows[other]))
    elif kind == 9:
        del rows[i]
        if not rows:
            rows.append([""])
    elif kind == 10:
        k = int(rng.integers(len(rows[0])))
        for line in rows:
            if max(j, k) < len(line):
                line[j], line[k] = line[k], line[j]
    else:
        word = pick(rng, WORDS)
        for line in rows[1:]:
            if j < len(line):
                line[j] = word
    return rows


def broken_data(rng: Rng) -> bytes:
    rows = [line.split(",") for line in CSV.splitlines()]
    for _ in range(int(rng.integers(0, 4))):
        rows = cells(rng, rows)
    raw = ("\n".join(",".join(row) for row in rows) + "\n").encode("utf-8", "replace")
    if rng.random() < 0.15:
        raw = whole_file(rng, raw)
    if rng.random() < 0.25:
        raw = some_bytes(rng, raw)
    return raw


# -- mutations of definitions -----------------------------------------------------------------

VALUES = [
    0, 1, -1, 0.0, -0.0, 0.5, 1e-300, 1e300, -1e300, 2**63, 10**40, float("nan"), float("inf"),
    -float("inf"), True, False, "", "x", "CL", "cl", "DV", "WT", "TIME", "one_compartment_oral",
    "two_compartment", "laplace", "fo", "foce", "saem", "nuts", "m1", "sandwich", "r", "é",
    "\u0000", "../../etc/passwd", ".", "/", "a" * 5000, [], [[]], [1], ["CL"], ["CL", "CL"],
    [[0.1], [0.2]], [[1, 2], [3, 4]], [[0.1], [0.5, 0.1]], {}, {"init": 1}, {"init": "1"},
    {"init": None}, {"init": 1, "lower": 2}, {"init": 1, "lower": 1, "upper": 1},
    {"init": -5, "upper": 0}, {"init": float("nan")}, {"init": 1, "fixed": "yes"},
    {"init": 0.1, "fixed": True}, {"CL": "normal"}, {"V": "logitnormal"}, {"KA": "normal"},
    {"CL": 0.05}, {"time": "h"}, {"time": "day", "amount": "ug", "concentration": "pg/mL"},
    {"time": "furlong", "amount": "mg", "concentration": "mg/L"},
]  # fmt: skip
FORMULAS = [
    "", " ", "cl", "v", "cl * wt", "CL", "cl +", "+ cl", "cl ** cl ** cl ** 99999",
    "9**9**9**9**9", "cl / 0", "cl / (WT - WT)", "log(-cl)", "sqrt(-cl)",
    "exp(exp(exp(exp(cl * 100))))", "cl * 1e999", "cl * nan", "-cl", "0", "1", "0 * cl", "WT",
    "cl * DV", "cl * AMT", "cl * TIME", "cl * ID", "__import__('os').system('true')",
    "().__class__", "cl.real", "cl[0]", "[cl]", "{cl}", "(cl, v)", "lambda: cl",
    "cl if WT else v", "cl := 1", "f'{cl}'", "'cl'", "cl; v", "cl\nv", "cl # comment",
    "where(WT > 1, cl)", "where(WT > 1, cl, v, v)", "where(cl, v, v_wt)", "where(WT, cl, v)",
    "where(WT > 1 and WT < 2 or not WT == 3, cl, v)", "min(cl)", "min(cl, v, v_wt)", "max()",
    "exp", "exp()", "cl ^ 2", "cl // 2", "cl % 2", "cl @ v", "~cl", "cl << 2", "cl & v",
    "cl and v", "not cl", "cl < v", "cl == v", "1 < cl < 2", "eval('1')", "open('x')", "abs(cl",
    "cl)", "((cl", "c l", "ｃｌ", "cl × WT", "cl * \u202eWT", "cl\x00", "0x10 * cl", "1_000 * cl",
    "1e5j * cl", "1j", "True * cl", "None", "...", "*cl", "**cl", "cl ** -0.5", "cl ** WT ** 2",
    "await cl", "yield", "import os", "(" * 5000 + "cl" + ")" * 5000, "-" * 5000 + "cl",
    "cl" + " + cl" * 5000, "exp(" * 500 + "cl", "cl" + "**2" * 200, "9" * 5000, "1e" + "9" * 500,
    "x" * 5000, "cl * " + "9" * 400 + ".0",
]  # fmt: skip
KEYS = [
    "ID", "CL", "V", "KA", "cl", "init", "lower", "upper", "fixed", "blocks", "occasion", "power",
    "exponent", "lognormal", "combine", "distribution", "columns", "where", "lloq", "covariates",
    "allow", "units", "starts", "interaction", "censoring", "metod", "", "é", "a b", "__class__",
    "groups",
]  # fmt: skip
WHERES = [
    "", "WT > 1", "WT > 99", "WT >", "wt > 1", "ID == 1", "ID in [1]", "1", "True", "WT",
    "WT > 'a'", "DV < 5 and not EVID == 0", "not", "__import__('os')", "WT > 1 > 0", "(" * 3000,
    "WT == nan", "ID == 1 or " * 2000 + "ID == 2", "WT = 1", "WT > 1e999", "EVID == 1",
    "TIME < 3",
]  # fmt: skip


def nodes(tree: object) -> Iterator[tuple[dict | list, object]]:
    """Yield every (container, key) of a definition."""
    pairs = list(tree.items()) if isinstance(tree, dict) else list(enumerate(tree))
    for name, value in pairs:
        yield tree, name
        if isinstance(value, dict | list):
            yield from nodes(value)


def broken_tree(rng: Rng, tree: dict) -> dict:
    tree = deepcopy(tree)
    places = list(nodes(tree))
    if not places:
        return tree
    parent, name = pick(rng, places)
    kind = int(rng.integers(9))
    if kind <= 1:
        parent[name] = deepcopy(pick(rng, [v for v in VALUES if v is not None]))
    elif kind == 2:
        del parent[name]
    elif kind == 3 and isinstance(parent, dict):
        parent[pick(rng, KEYS)] = parent.pop(name)
    elif kind == 4 and isinstance(parent, dict):
        parent[pick(rng, KEYS)] = deepcopy(pick(rng, VALUES))
    elif kind == 5:
        other, second = pick(rng, places)
        parent[name] = deepcopy(other[second]) if other is not parent else parent[name]
    elif kind == 6 and isinstance(tree.get("data"), dict):
        tree["data"]["where"] = pick(rng, WHERES)
    elif isinstance(tree.get("model"), dict) and isinstance(tree["model"].get("parameters"), dict):
        tree["model"]["parameters"][pick(rng, ["CL", "V"])] = pick(rng, FORMULAS)
    return tree


def without_none(tree: object) -> object:
    if isinstance(tree, dict):
        return {k: without_none(v) for k, v in tree.items() if v is not None}
    return [without_none(v) for v in tree] if isinstance(tree, list) else tree


def broken_definition(rng: Rng) -> bytes:
    tree = DEFINITION
    for _ in range(int(rng.integers(0, 4))):
        tree = broken_tree(rng, tree)
    raw = dumps(without_none(tree)).encode("utf-8", "replace")
    if rng.random() < 0.05:
        raw = whole_file(rng, raw)
    if rng.random() < 0.25:
        raw = some_bytes(rng, raw)
    return raw


# -- the run ----------------------------------------------------------------------------------


class TooSlowError(Exception):
    """No OSError, as TimeoutError is one and the command line answers those."""


@contextmanager
def limits(seconds: float = SECONDS) -> Iterator[None]:
    """Stop what hangs, and let what asks for too much memory fail."""

    def stop(signum: int, frame: object) -> None:
        raise TooSlowError(f"still running after {seconds} s")

    before = resource.getrlimit(resource.RLIMIT_AS)
    old = signal.signal(signal.SIGALRM, stop)
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + MEMORY, before[1]))
    faulthandler.dump_traceback_later(10 * seconds, exit=True)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, old)
        resource.setrlimit(resource.RLIMIT_AS, before)


def run(folder: Path, data: bytes, definition: bytes, *command: str) -> Result:
    (folder / "data.csv").write_bytes(data)
    (folder / "fit.toml").write_bytes(definition)
    with limits():
        name, *rest = command
        return CliRunner().invoke(main, [name, str(folder / "fit.toml"), *rest])


def complaint(result: Result) -> str | None:
    """Say what is wrong with how a run ended."""
    error = result.exception
    if error is not None and not isinstance(error, SystemExit):
        return f"{type(error).__name__}: {error}"
    if result.exit_code not in (0, 1, 2):
        return f"exit status {result.exit_code}"
    if result.exit_code == 2 and not PLACE.search(result.stderr):
        return f"a message without a place: {result.stderr!r}"
    if "Traceback" in result.stderr:
        return result.stderr
    if len(result.stderr) > 20_000:
        return f"a message of {len(result.stderr)} characters"
    return None


def what_was_left(folder: Path, result: Result) -> str | None:
    """Say what is wrong with the outputs."""
    out = folder / "out"
    found = sorted(p.name for p in out.iterdir()) if out.exists() else []
    expected = sorted(FIT_FILES) if result.exit_code in (0, 1) else []
    if found != expected:
        return f"exit status {result.exit_code} leaves {found} in the output folder"
    others = {p.name for p in folder.iterdir()} - {"out", "data.csv", "fit.toml"}
    return f"left behind: {others}" if others else None


def describe(number: int, text: bytes, what: str) -> str:
    return f"case {number}: {what}\n{text[:1500].decode('utf-8', 'replace')}"


def data_case(number: int) -> tuple[bytes, bytes]:
    return broken_data(np.random.default_rng([SEED, 1, number])), dumps(DEFINITION).encode()


def definition_case(number: int) -> tuple[bytes, bytes]:
    return CSV.encode(), broken_definition(np.random.default_rng([SEED, 2, number]))


def check_cases(folder: Path, make: Callable, numbers: range) -> None:
    faults = []
    for number in numbers:
        data, definition = make(number)
        what = complaint(run(folder, data, definition, "check"))
        if what:
            faults.append(describe(number, data if make is data_case else definition, what))
    assert not faults, f"{len(faults)} faults\n" + "\n\n".join(faults[:5])


def fit_cases(folder: Path, make: Callable, numbers: range) -> None:
    faults = []
    for number in numbers:
        data, definition = make(number)
        here = folder / str(number)
        here.mkdir()
        result = run(here, data, definition, "fit", "--out", str(here / "out"))
        what = complaint(result) or what_was_left(here, result)
        if what:
            faults.append(describe(number, data if make is data_case else definition, what))
    assert not faults, f"{len(faults)} faults\n" + "\n\n".join(faults[:5])


def chunk(count: int, part: int) -> range:
    return range(part * count // CHUNKS, (part + 1) * count // CHUNKS)


BOTH = pytest.mark.parametrize("make", [data_case, definition_case], ids=["data", "definition"])
PARTS = pytest.mark.parametrize("part", range(CHUNKS))


@pytest.fixture(scope="module", autouse=True)
def _kernels(tmp_path_factory):
    """Compile outside of the time limits."""
    folder = tmp_path_factory.mktemp("warm")
    (folder / "data.csv").write_text(CSV)
    (folder / "fit.toml").write_text(dumps(DEFINITION))
    CliRunner().invoke(main, ["fit", str(folder / "fit.toml")])


def test_the_unbroken_case_fits(tmp_path):
    definition = dumps(DEFINITION)
    assert tomllib.loads(definition) == DEFINITION
    result = run(tmp_path, CSV.encode(), definition.encode(), "fit", "--out", str(tmp_path / "out"))
    assert result.exit_code in (0, 1), result.output
    assert what_was_left(tmp_path, result) is None


@PARTS
@BOTH
def test_check_of_broken_files(tmp_path, make, part):
    check_cases(tmp_path, make, chunk(1200, part))


@PARTS
@BOTH
def test_fit_of_broken_files(tmp_path, make, part):
    numbers = chunk(160, part)
    fit_cases(tmp_path, make, range(100_000 + numbers.start, 100_000 + numbers.stop))


@pytest.mark.slow
@PARTS
@BOTH
def test_check_of_many_broken_files(tmp_path, make, part):
    check_cases(tmp_path, make, range(200_000 + 5000 * part, 205_000 + 5000 * part))


@pytest.mark.parametrize("formula", FORMULAS, ids=range(len(FORMULAS)))
def test_every_hostile_formula(tmp_path, formula):
    tree = deepcopy(DEFINITION)
    tree["model"]["parameters"]["CL"] = formula
    result = run(tmp_path, CSV.encode(), dumps(tree).encode(), "check")
    assert complaint(result) is None


@pytest.mark.parametrize("word", WORDS, ids=range(len(WORDS)))
def test_every_word_in_every_column(tmp_path, word):
    rows = [line.split(",") for line in CSV.splitlines()]
    faults = []
    for j, name in enumerate(rows[0]):
        for i in (1, 2):
            changed = [list(row) for row in rows]
            changed[i][j] = word
            text = "\n".join(map(",".join, changed)).encode()
            what = complaint(run(tmp_path, text, dumps(DEFINITION).encode(), "check"))
            if what:
                faults.append(f"{name}, line {i + 1}: {what}")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("command", ["check", "fit"])
@pytest.mark.parametrize("name", ["absent.toml", "", ".", "/", "fit.toml/x", "\x00", "é" * 300])
def test_names_that_are_no_file(tmp_path, command, name):
    with limits():
        result = CliRunner().invoke(main, [command, name and str(tmp_path / name)])
    assert complaint(result) is None
    assert result.exit_code == 2


def test_data_that_is_a_folder_or_absent(tmp_path):
    for name in ("absent.csv", ".", "..", "data.parquet", "a" * 5000):
        tree = deepcopy(DEFINITION)
        tree["data"]["file"] = name
        result = run(tmp_path, CSV.encode(), dumps(tree).encode(), "check")
        assert complaint(result) is None
        assert result.exit_code == 2

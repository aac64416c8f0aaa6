"""The shipped data sets and fit definitions are what their birth certificates say."""

from __future__ import annotations

import csv
import hashlib
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from pkmodel import shipped
from pkmodel.errors import PkmodelError
from pkmodel.shipped import PUBLISHED, shipped_data, shipped_fits, shipped_folder

DATA = shipped_data()
EVENTS = [name for name, entry in DATA.items() if not entry.is_published]
FIGURES = [name for name, entry in DATA.items() if entry.is_published]
FITS = shipped_fits()
REPOSITORY = Path(__file__).parents[1]


def _certificate(name):
    return tomllib.loads((DATA[name].file.parent / "source.toml").read_text(encoding="utf-8"))


def _rows(name):
    with DATA[name].file.open(newline="") as file:
        return list(csv.DictReader(file))


def test_phenobarbital_is_shipped():
    assert "phenobarbital" in DATA
    assert "phenobarbital" in FITS


def _files(name):
    return {DATA[name].file: DATA[name].sha256} | DATA[name].further


@pytest.mark.parametrize("name", DATA)
def test_checksums(name):
    for file, digest in _files(name).items():
        assert hashlib.sha256(file.read_bytes()).hexdigest() == digest, file


@pytest.mark.parametrize("name", FIGURES)
def test_every_file_of_published_figures_has_a_checksum(name):
    folder = DATA[name].file.parent
    described = {folder / "source.toml", folder / "README.md"}
    assert set(folder.iterdir()) - described == set(_files(name))


@pytest.mark.parametrize("name", DATA)
def test_kind_is_one_of_those_that_are_told_apart(name):
    assert DATA[name].kind in {"measured in people", "virtual", PUBLISHED}


@pytest.mark.parametrize("name", DATA)
def test_origin_licence_and_readme_are_there(name):
    assert len(DATA[name].origin) > 40
    assert DATA[name].licence
    assert (DATA[name].file.parent / "README.md").read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("name", EVENTS)
def test_counts(name):
    rows, counts = _rows(name), _certificate(name)["counts"]
    assert len({row["ID"] for row in rows}) == counts["subjects"]
    assert sum(row["EVID"] == "0" for row in rows) == counts["observations"]
    assert sum(row["EVID"] == "1" for row in rows) == counts["doses"]


@pytest.mark.parametrize("name", EVENTS)
def test_every_covariate_is_described(name):
    dosing = {"ID", "TIME", "AMT", "RATE", "DV", "EVID", "MDV", "CMT", "II", "ADDL", "SS"}
    standard = dosing | {"CENS"}
    assert set(_rows(name)[0]) - standard == set(_certificate(name)["columns"])


@pytest.mark.parametrize("name", FIGURES)
def test_every_column_of_published_figures_is_described(name):
    described = _certificate(name)["columns"]
    tables = [file for file in _files(name) if file.suffix == ".csv"]
    assert described.keys() == {file.name for file in tables}
    for file in tables:
        with file.open(newline="") as lines:
            assert set(next(csv.reader(lines))) == set(described[file.name])


@pytest.mark.parametrize("name", EVENTS)
def test_units_of_records_are_declared(name):
    assert DATA[name].units.keys() == {"time", "amount", "concentration"}


@pytest.mark.parametrize("name", FITS)
def test_a_fit_uses_shipped_data_in_its_units(name):
    table = tomllib.loads(FITS[name].read_text(encoding="utf-8"))["data"]
    file = (FITS[name].parent / table["file"]).resolve()
    units = [entry.units for entry in DATA.values() if entry.file.resolve() == file]
    assert units == [table["units"]]


def test_an_installation_without_data_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(shipped, "_PACKAGE", tmp_path / "pkmodel")
    with pytest.raises(PkmodelError, match="no fits folder"):
        shipped_folder("fits")


def test_an_installed_package_finds_what_the_wheel_holds(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    code = "from pkmodel.shipped import *; print(*shipped_data(), *shipped_fits())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path / "installed",
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == [*DATA, *FITS]

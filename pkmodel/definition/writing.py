"""From a fit definition to the text of its TOML file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf
from pathlib import Path

from pkmodel.definition.model_check import check_model
from pkmodel.definition.record import DataSpec, Definition
from pkmodel.errors import ModelError
from pkmodel.models.model import Model, OmegaBlock, Options, Residual, Sigma, Theta
from pkmodel.models.prior import Prior, Priors

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f"} | {
    "\r": "\\r"
}


def write_definition(definition: Definition, path: str | Path) -> None:
    """Write a fit definition to a TOML file.

    Reading the file gives the same definition. Random effects between occasions are written after
    those between subjects.

    Parameters
    ----------
    definition : Definition
    path : str or Path
        The data file is named relative to its folder.

    Raises
    ------
    ModelError
        The model has faults, or the file cannot be written.
    """
    target = Path(path)
    text = dumps(definition, target.parent)
    try:
        target.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise ModelError(f"cannot be written: {error.strerror}", str(path)) from None


def dumps(definition: Definition, folder: str | Path | None = None) -> str:
    """Return the TOML text of a fit definition.

    Parameters
    ----------
    definition : Definition
    folder : str or Path, optional
        Name the data file relative to it; without, in full.

    Returns
    -------
    str

    Raises
    ------
    ModelError
        The model has faults.
    """
    check_model(definition.model)
    tables = [f"title = {_text(definition.title)}"]
    if definition.data is not None:
        tables.append(_table("data", _data(definition.data, folder)))
    model = definition.model
    tables += [
        _table("model", {"structure": model.structure}),
        _table("model.parameters", model.parameters),
        _table("theta", {theta.name: _theta(theta) for theta in model.theta}),
        _table("omega", _omega(model)),
        _table("residual", _residual(model.residual)),
    ]
    if model.priors is not None:
        tables += _priors(model.priors)
    if definition.groups is not None:
        tables.append(_table("groups", _groups(definition.groups, folder)))
    tables.append(_table("fit", _options(definition.options)))
    text = "\n\n".join(tables) + "\n"
    if not text.isascii():
        _check_unicode(text)
    return text


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ModelError("a text holds half a character, which no file can hold") from None


def _data(data: DataSpec, folder: str | Path | None) -> dict[str, object]:
    file = str(data.file)
    if folder is not None:
        file = os.path.relpath(data.file, Path(folder).resolve())
    optional = {
        "units": data.units,
        "columns": data.columns,
        "where": data.where,
        "lloq": data.lloq,
        "covariates": data.covariates if data.covariates != "nocb" else None,
        "allow": data.allow or None,
    }
    return {"file": Path(file).as_posix()} | _given(optional)


def _groups(groups: Mapping[str, object], folder: str | Path | None) -> dict[str, object]:
    out = dict(groups)
    if folder is not None and "published" in out:
        file = os.path.relpath(str(out["published"]), Path(folder).resolve())
        out["published"] = Path(file).as_posix()
    return out


def _given(entries: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in entries.items() if value is not None}


def _theta(theta: Theta) -> dict[str, object]:
    entries: dict[str, object] = {"init": float(theta.init)}
    if theta.lower != -inf:
        entries["lower"] = float(theta.lower)
    if theta.upper != inf:
        entries["upper"] = float(theta.upper)
    if theta.fixed:
        entries["fixed"] = True
    return entries


def _omega(model: Model) -> dict[str, object]:
    between = _effects([block for block in model.omega if not block.occasion])
    occasion = _effects([block for block in model.omega if block.occasion])
    between |= {"distribution": model.distribution} if model.distribution else {}
    return between | ({"occasion": occasion} if occasion else {})


def _effects(blocks: Sequence[OmegaBlock]) -> dict[str, object]:
    """Write leading single variances by name, all from the first block on as blocks."""
    first = next((k for k, b in enumerate(blocks) if len(b.parameters) > 1), len(blocks))
    entries = {b.parameters[0]: _number(b.matrix[0][0], b.fixed) for b in blocks[:first]}
    return entries | ({"blocks": [_block(b) for b in blocks[first:]]} if blocks[first:] else {})


def _block(block: OmegaBlock) -> dict[str, object]:
    triangle = [[float(v) for v in row[: i + 1]] for i, row in enumerate(block.matrix)]
    entries: dict[str, object] = {"parameters": block.parameters, "matrix": triangle}
    return entries | ({"fixed": True} if block.fixed else {})


def _number(value: float, fixed: bool) -> object:
    return {"init": float(value), "fixed": True} if fixed else float(value)


def _residual(residual: Residual) -> dict[str, object]:
    entries = {sigma.name: _sigma(sigma) for sigma in residual.sigmas}
    return entries | ({"combine": residual.combine} if residual.combine != "variance" else {})


def _sigma(sigma: Sigma) -> object:
    if sigma.name == "exponent":
        return {"init": float(sigma.init), "fixed": sigma.fixed}
    return _number(sigma.init, sigma.fixed)


def _priors(priors: Priors) -> list[str]:
    """Write [prior], and a table for each kind of parameter that has any."""
    tables = [_table("prior", _given({"lkj": None if priors.lkj is None else float(priors.lkj)}))]
    kinds = {"theta": priors.theta, "omega": priors.omega}
    kinds |= {"occasion": priors.occasion, "sigma": priors.sigma}
    for kind, table in kinds.items():
        if table:
            entries = {name: _prior(prior) for name, prior in table.items()}
            tables.append(_table(f"prior.{kind}", entries))
    return tables


def _prior(prior: Prior) -> object:
    numbers = [float(v) for v in prior.numbers]
    if not numbers:
        return prior.family
    return {prior.family: numbers[0] if len(numbers) == 1 else numbers}


def _options(options: Options) -> dict[str, object]:
    return _given(
        {
            "method": options.method,
            "interaction": options.interaction,
            "censoring": options.censoring,
            "covariance": options.covariance,
            "starts": options.starts,
            "seed": options.seed,
            "max_evaluations": options.max_evaluations,
            "order": options.order,
            "draws": options.draws,
            "chains": options.chains,
            "tune": options.tune,
            "target": options.target,
        }
    )


def _table(name: str, entries: Mapping[str, object]) -> str:
    return "\n".join([f"[{name}]", *_lines(entries)])


def _lines(entries: Mapping[str, object]) -> Iterator[str]:
    return (f"{_key(key)} = {_value(value)}" for key, value in entries.items())


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _text(key)


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return f"{{ {', '.join(_lines(value))} }}" if value else "{}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Iterable):
        return f"[{', '.join(_value(entry) for entry in value)}]"
    raise ModelError(f"a definition cannot hold {type(value).__name__}")


def _text(text: str) -> str:
    return f'"{"".join(_escaped(character) for character in text)}"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    is_control = ord(character) < 0x20 or ord(character) == 0x7F
    return f"\\u{ord(character):04x}" if is_control else character

"""The folder of a run: bound.jsonl, written point by point, beside bound.json, which says what the run is.

bound.jsonl has one record a line and grows while methods work; each line is on the disk before the next begins, and
half a line at its end, which a killed process can leave, is cut off when the run goes on. bound.json is written whole
or not at all; so are bound.png and bound.svg (rdzip.bounds.plot).
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any

from rdzip.bounds.point import Point
from rdzip.errors import InputError
from rdzip.system import atomic
from rdzip.system.atomic import shown

RECORDS, RUN, PLOTS = "bound.jsonl", "bound.json", ("bound.png", "bound.svg")
STATES = "states"
"""Folder of the states of methods that train, from which they go on."""
NAMES = (RECORDS, RUN, *PLOTS)
VERSION = 1

Record = dict[str, Any]


class Folder:
    """The folder of one run, open for further records; a context that closes it.

    header: what the run is, for bound.json: {"source": {...}, "methods": {name: {option: value}}}. resume: go on with
    the run that is there, of the same source and the same options of the methods that both have; records are then what
    it has so far. Without, InputError if there is a run already, unless force is given: it is replaced.
    """

    def __init__(self, path: Path, header: dict[str, Any], *, resume: bool = False, force: bool = False) -> None:
        self.path = path
        self.records: list[Record] = []
        there = [path / name for name in NAMES if os.path.lexists(path / name)]
        if there == [path / RECORDS, path / RUN] and not _size(path / RECORDS):
            there = []  # a run that came to nothing
        resume = resume and bool(there)
        if resume:
            header = _merged(path, header)
            self.records = _cut(path / RECORDS) if (path / RECORDS).exists() else []
        elif there and not force:
            raise InputError(
                f"{shown(there[0])} exists already and is left as it is; use `resume` to go on with that run, "
                "`force` to replace it, or another folder (`out`)"
            )
        try:
            path.mkdir(parents=True, exist_ok=True)
            if not resume:
                for name in NAMES:
                    (path / name).unlink(missing_ok=True)
                if force:
                    shutil.rmtree(path / STATES, ignore_errors=True)
            atomic.write(path / RUN, (json.dumps({"version": VERSION} | header, indent=1) + "\n").encode(), force=True)
            self._file = (path / RECORDS).open("ab")
        except OSError as error:
            raise InputError(f"{shown(path)} cannot be written: {atomic.explain(error)}") from None

    def add(self, record: Record) -> None:
        """Append a record and wait until the disk has it."""
        try:
            self._file.write((json.dumps(record) + "\n").encode())
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise InputError(f"{shown(self.path / RECORDS)} cannot be written: {atomic.explain(error)}") from None
        self.records.append(record)

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._file.close()


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1


def read_records(path: Path) -> list[Record]:
    """Return the records in a file of JSON lines, without half a line at its end: a run may be writing it.

    Raises InputError where the file cannot be read, or another line is no JSON object.
    """
    return _records(path)[0]


def read_run(path: Path) -> dict[str, Any]:
    """Return bound.json of a run's folder; InputError where it is missing or not what it should be."""
    file = path / RUN
    try:
        found = json.loads(file.read_bytes())
        version = found["version"]
        dict(found["source"]), dict(found["methods"])
    except OSError as error:
        raise InputError(f"{shown(file)} cannot be read: {atomic.explain(error)}; it belongs to a run") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{shown(file)}: expected what a run writes of itself, found something else") from None
    if version != VERSION:
        raise InputError(f"{shown(file)}: expected version {VERSION}, found {version!r}; another rdzip wrote it")
    return dict(found)


def _merged(path: Path, header: dict[str, Any]) -> dict[str, Any]:
    """Return the header of both runs together; InputError where they differ in what decides the points."""
    before = read_run(path)
    differing = _differences(before["source"], json.loads(json.dumps(header["source"])))
    for name, options in json.loads(json.dumps(header["methods"])).items():
        if name in before["methods"]:
            differing += [f"{name}.{text}" for text in _differences(before["methods"][name], options)]
    if differing:
        raise InputError(
            f"{shown(path)} holds a run with other settings: {'; '.join(differing)}. Ask for the same, "
            "or take another folder (`out`)"
        )
    return header | {"methods": before["methods"] | header["methods"]}


def _differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    names = [*before, *(name for name in now if name not in before)]
    # Where it runs and where the data lie decide nothing.
    differing = [n for n in names if n not in ("device", "data", "spec") and before.get(n) != now.get(n)]
    return [f"{n} {_text(before.get(n))} there, {_text(now.get(n))} here" for n in differing]


def _text(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _cut(path: Path) -> list[Record]:
    """Read the records of a file and cut half a line off its end."""
    records, length = _records(path)
    for record in records:
        Point.from_record(record)
    try:
        with path.open("r+b") as file:
            file.truncate(length)
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be written: {atomic.explain(error)}") from None
    return records


def _records(path: Path) -> tuple[list[Record], int]:
    """Return the records of a file and the length of its whole lines in bytes."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be read: {atomic.explain(error)}") from None
    length = data.rfind(b"\n") + 1
    records = []
    for number, line in enumerate(data[:length].splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            raise InputError(f"{shown(path)}, line {number}: expected a JSON object, found something else")
        records.append(record)
    return records, length

"""PackBits as TIFF has it, by the rules by which encoders take runs. Source: TIFF 6.0, section 9."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rdzip.exact.compiled import compiled

RULES = 4
"""0: two equal bytes are a run, but one of just two between two literals joins them; 1: two equal bytes are a run; 2:
three are, and two where no literal is before them; 3: three are."""


@compiled
def _decode(data: NDArray[np.uint8], out: NDArray[np.uint8], state: NDArray[np.int64]) -> None:
    """Decode until ``out`` is full. state: set to bytes written and read; -1 where the data end before."""
    at = 0
    done = 0
    state[0] = -1
    while done < len(out):
        if at >= len(data):
            return
        head = np.int64(data[at])
        at += 1
        if head == 128:
            continue
        count = head + 1 if head < 128 else 257 - head
        if done + count > len(out) or at + (count if head < 128 else 1) > len(data):
            return
        if head < 128:
            for i in range(count):
                out[done + i] = data[at + i]
            at += count
        else:
            for i in range(count):
                out[done + i] = data[at]
            at += 1
        done += count
    state[0] = done
    state[1] = at


@compiled
def _encode(data: NDArray[np.uint8], out: NDArray[np.uint8], row: int, rule: int, state: NDArray[np.int64]) -> None:
    """Encode rows, each by itself.

    - data: bytes of rows
    - out: room for the packets
    - row: bytes of a row
    - rule: see RULES
    - state: [0] is set to the bytes written
    """
    done = 0
    start = 0
    while start < len(data):
        stop = min(start + row, len(data))
        at = start
        literal = -1  # where the open packet of literals begins
        held = 0  # literals in it
        while at < stop:
            run = 1
            while at + run < stop and run < 128 and data[at + run] == data[at]:
                run += 1
            least = 2
            if rule == 3 or (rule == 2 and held > 0):
                least = 3
            if rule == 0 and run == 2 and 0 < held <= 126 and at + 2 < stop:
                alone = at + 3 >= stop or data[at + 3] != data[at + 2]
                if alone:
                    least = 3
            if run >= least:
                out[done] = 257 - run
                out[done + 1] = data[at]
                done += 2
                at += run
                held = 0
                continue
            take = run
            for _ in range(take):
                if held == 0 or held == 128:
                    literal = done
                    done += 1
                    held = 0
                out[done] = data[at]
                done += 1
                at += 1
                held += 1
                out[literal] = held - 1
        start = stop
    state[0] = done


def decode(data: bytes, size: int) -> tuple[bytes, int] | None:
    """Return ``size`` bytes, and how many were read; None if there are not so many."""
    out, state = np.empty(size, np.uint8), np.zeros(2, np.int64)
    _decode(np.frombuffer(data, np.uint8), out, state)
    return None if state[0] != size else (out.tobytes(), int(state[1]))


def encode(data: bytes, row: int, rule: int) -> bytes:
    """Return the packets of rows of ``row`` bytes. rule: below RULES."""
    out, state = np.empty(2 * len(data) + 16, np.uint8), np.zeros(1, np.int64)
    _encode(np.frombuffer(data, np.uint8), out, max(row, 1), rule, state)
    return out[: state[0]].tobytes()

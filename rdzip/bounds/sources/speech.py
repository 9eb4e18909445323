"""Speech as log magnitudes of short-time spectra, from recordings of spoken digits."""

from __future__ import annotations

import io
import lzma
import re
import tarfile
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rdzip.bounds.sources.finite import FiniteSource
from rdzip.errors import InputError

RECORDINGS = "speech/fsdd-recordings.tar.xz"
NAME = re.compile(r"recordings/\d_theo_(\d+)\.wav")
"""One of six speakers, as in Yang & Mandt 2022; recordings 0 to 4 of a digit are held out."""
HELD_OUT = 5
FRAME, FFT = 63, 64
FLOOR = float(np.finfo(np.float64).eps)
MARGINAL = [30, 10]
"""Frequencies of the source in two dimensions."""


def speech(data: Path, *, marginal: bool) -> FiniteSource:
    """Return the speech source of Yang & Mandt 2022: 33 features a frame, or their columns 30 and 10 if `marginal`.

    Neighbouring frames differ by one sample, so samples are far from independent: intervals understate their errors.
    """
    parts: tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]] = ([], [])
    path = data / RECORDINGS
    try:
        with tarfile.open(path, "r|xz") as archive:
            for member in archive:
                name = NAME.fullmatch(member.name)
                file = archive.extractfile(member) if name else None
                if name and file:
                    features = log_spectra(_samples(file.read()))
                    parts[int(name[1]) < HELD_OUT].append(features[:, MARGINAL] if marginal else features)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file: give the folder that has speech/ in it (`data`)") from error
    except (OSError, tarfile.TarError, lzma.LZMAError, EOFError, wave.Error) as error:
        raise InputError(f"{path}: expected a .tar.xz of recordings: {' '.join(str(error).split())[:80]}") from error
    if not all(parts):
        raise InputError(
            f"{path}: expected recordings/DIGIT_theo_INDEX.wav, both below and from {HELD_OUT}, found none"
        )
    train, held_out = (np.concatenate(part) for part in parts)
    recordings = np.repeat(np.arange(len(parts[1])), [len(features) for features in parts[1]])
    return FiniteSource("speech-2d" if marginal else "speech", train, held_out, recordings)


def log_spectra(samples: NDArray[np.float64]) -> NDArray[np.float32]:
    """Log magnitudes ln(|STFT| + 2.2e-16), [n - 62, 33], of n samples: frames of 63, step 1, FFT of 64, no padding.

    The Hann window is symmetric, cos(2 pi i / 62): so is TensorFlow's "periodic" one where the length is odd.
    """
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME) * np.hanning(FRAME)
    spectra: NDArray[np.float32] = np.log(np.abs(np.fft.rfft(frames, FFT)) + FLOOR).astype(np.float32)
    return spectra


def _samples(wav: bytes) -> NDArray[np.float64]:
    """Samples in -1..1 of a wav of 16 bits and one channel."""
    with wave.open(io.BytesIO(wav)) as file:
        if file.getsampwidth() != 2 or file.getnchannels() != 1 or file.getnframes() < FRAME:
            raise wave.Error(f"expected {FRAME} or more samples of 16 bits in one channel")
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768

"""A user's own model: `photo` trained further on 100 pictures of one kind, and the gain on held-out ones.

    python benchmarks/finetune.py --data ../shared/data/speech --work FOLDER

The kind is spectrograms of spoken digits (8 bits of grey, 128 rows): pictures that `photo` has never seen. Each joins
the digits 0 to 9 of one speaker. The data set's own split is kept: its recordings 0 to 4 are held out, 100 pictures of
the others train. Held-out pictures are compressed with `photo`, with the new model, and by the best of the classic
codecs; sizes are those of whole files, each decoded and compared. A run that is in FOLDER already is taken as it is.
Writes benchmarks/results/finetune.json.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tarfile
import wave
from pathlib import Path

import common
import numpy as np
from PIL import Image

import rdzip
from rdzip import hub

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
WINDOW, HOP, FLOOR = 256, 64, 80.0
"""Samples of a window and from one to the next; dB below the loudest that are black."""
HELD_OUT, TRAINED = range(5), 100


def spectrogram(samples: np.ndarray) -> np.ndarray:
    """Magnitudes in dB below the loudest, as uint8 [128, frames], low frequencies at the bottom."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP] * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(frames))[:, :128] ** 2
    decibels = 10 * np.log10(power / power.max() + 1e-12)
    return np.clip(np.round(255 * (1 + decibels / FLOOR)), 0, 255).astype(np.uint8).T[::-1]


def make_pictures(data: Path, folder: Path) -> None:
    recordings = {}
    with tarfile.open(data / "fsdd-recordings.tar.xz") as archive:
        for member in archive:
            if member.name.endswith(".wav"):
                file = archive.extractfile(member)
                assert file is not None
                with wave.open(io.BytesIO(file.read())) as sound:
                    found = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
                recordings[Path(member.name).stem] = found.astype(float)
    made = 0
    for part in ("train", "valid"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for index in range(50):
        for speaker in SPEAKERS:
            if index not in HELD_OUT and made == TRAINED:
                continue
            made += index not in HELD_OUT
            sound = np.concatenate([recordings[f"{digit}_{speaker}_{index}"] for digit in range(10)])
            part = "valid" if index in HELD_OUT else "train"
            Image.fromarray(spectrogram(sound)).save(folder / part / f"{speaker}-{index}.png")


def total(pictures: list[Path], **options: str) -> tuple[int, int]:
    """Bytes of the .rdz files of pictures, each decoded and compared while it is made, and their samples."""
    size = samples = 0
    for path in pictures:
        size += len(rdzip.compress(path, **options))
        with Image.open(path) as image:
            samples += image.width * image.height
    return size, samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1, help="compress only every so manieth held-out picture")
    options = parser.parse_args()
    pictures, run = options.work / "pictures", options.work / "run"
    model = run / "photo-finetune.safetensors"
    if not model.exists():
        make_pictures(options.data, pictures)
        command = [sys.executable, "-m", "rdzip", "train", "photo-finetune", "--data", str(pictures), "--out", str(run)]
        subprocess.run(command, check=True, cwd=common.ROOT)
    hub.pull(model)  # files name a model by its hash: the cache must know it
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    compressed = sorted((pictures / "valid").iterdir())[:: options.every]
    record = {
        "training pictures": len(list((pictures / "train").iterdir())),
        "held-out pictures": len(list((pictures / "valid").iterdir())),
        "compressed of them": len(compressed),
        "minutes of training": round(log[-1]["seconds"] / 60, 1),
        "estimated bits per sample": round(log[-1]["grey"], 4),
    }
    for name, chosen in (
        ("classic", {"codec": "classic"}),
        ("photo", {"model": "photo"}),
        ("own", {"model": str(model)}),
    ):
        size, samples = total(compressed, **chosen)
        print(name, size, samples, flush=True)
        record[name] = {"bytes": size, "bits per sample": round(8 * size / samples, 4)}
    record["gain over photo"] = round(1 - record["own"]["bytes"] / record["photo"]["bytes"], 4)
    print(common.write("finetune", record), record)


if __name__ == "__main__":
    main()

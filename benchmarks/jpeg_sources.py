"""JPEGs made smaller so that the same file comes back: rdzip at some efforts, JPEG XL's transcoding, Lepton.

Sizes of whole files, and megabytes a second of processor time of one thread, both ways; compressing by rdzip includes
that it decodes what it wrote and compares. A file that a codec refuses, or brings back otherwise, counts as it is.
Lepton needs lepton-jpeg-python, JPEG XL imagecodecs; without them their rows are left out.

python benchmarks/jpeg_sources.py                      # ../shared/data/files/jpeg
python benchmarks/jpeg_sources.py FOLDER --efforts 6
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import common

from rdzip.pipeline.file import compress_file
from rdzip.pipeline.request import Compute, Request
from rdzip.pipeline.restore import restore
from rdzip.system.process import tune_process

Codec = tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]
ONE = Compute(threads=1)


def rdzip_at(effort: int) -> Codec:
    """Compress and restore at an effort."""
    return (
        lambda data: compress_file(data, Request(effort=effort), ONE).data,
        lambda data: restore(data, ONE).data,
    )


def codecs(efforts: list[int]) -> dict[str, Codec]:
    """Whatever is here, by name."""
    found: dict[str, Codec] = {}
    try:
        peer: Any = import_module("imagecodecs")
        found["JPEG XL"] = (peer.jpegxl_encode_jpeg, peer.jpegxl_decode_jpeg)
    except ImportError:
        pass
    try:
        lepton: Any = import_module("lepton_jpeg_python")
        found["Lepton"] = (lepton.compress_bytes, lepton.decompress_bytes)
    except ImportError:
        pass
    return found | {f"rdzip -e {effort}": rdzip_at(effort) for effort in efforts}


def measure(codec: Codec, files: dict[str, bytes]) -> dict[str, Any]:
    """Bytes, shares and speeds of a codec over all files."""
    each, seconds = {}, [0.0, 0.0]
    for name, data in files.items():
        start = time.process_time()
        try:
            packed = bytes(codec[0](data))
            middle = time.process_time()
            same = bytes(codec[1](packed)) == data
        except Exception as error:  # whatever a peer raises for what it does not take
            each[name] = {"bytes": len(data), "size": len(data), "refused": f"{type(error).__name__}: {error}"[:80]}
            continue
        seconds[0] += middle - start
        seconds[1] += time.process_time() - middle
        each[name] = {"bytes": len(data), "size": len(packed) if same else len(data), "same": same}
    taken = sum(one["bytes"] for one in each.values() if "refused" not in one)
    total, size = (sum(one[key] for one in each.values()) for key in ("bytes", "size"))
    return {
        "files": len(each),
        "came_back": sum(one.get("same", False) for one in each.values()),
        "bytes": total,
        "size": size,
        "share": size / total,
        "compress_mb_s": taken / seconds[0] / 1e6,
        "restore_mb_s": taken / seconds[1] / 1e6,
        "each": each,
    }


def main() -> None:
    """Measure, print, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default="../shared/data/files/jpeg", type=Path)
    parser.add_argument("--efforts", default="1,6,9", help="of rdzip, by comma")
    parser.add_argument("--name", default="jpeg-sources", help="of the JSON file in results/")
    arguments = parser.parse_args()
    tune_process()
    files = {path.name: path.read_bytes() for path in sorted(arguments.folder.iterdir()) if path.is_file()}
    efforts = [int(effort) for effort in arguments.efforts.split(",")]
    rows = {}
    for name, codec in codecs(efforts).items():
        measure(codec, dict(list(files.items())[:1]))  # what is compiled at first
        rows[name] = measure(codec, files)
        print(name, {key: value for key, value in rows[name].items() if key != "each"}, flush=True)
    print(common.write(arguments.name, {"folder": arguments.folder.name, "codecs": rows}))


if __name__ == "__main__":
    main()

"""rdzip: exact compression of images with neural probability models.

    import rdzip
    data = rdzip.compress("photo.png")      # bytes of a .rdz file; also takes a Pillow image or a numpy array
    image = rdzip.decompress(data)          # or the path of a file; a Pillow image, equal in pixels, mode, palette and
                                            # metadata
    file = rdzip.restore(data)              # the bytes of photo.png
    data = rdzip.compress("photo.png", quality=60)      # with loss; or target_bpp=0.5
    data = rdzip.compress("scan.png", max_error=2)      # no sample differs by more than 2
    data = rdzip.compress(digits, model="mnist-binary", codec="bb-cis", particles=50)     # an array uint8 [n, h, w]
    digits = rdzip.decompress_array(data, items=[5, 7])                                  # [2, h, w]
    records = rdzip.bound("banana")         # points of upper and lower bounds on its rate-distortion function

Importing rdzip imports neither torch nor numpy nor Pillow; what a call needs is imported by the call.
"""

from __future__ import annotations

from rdzip.api import bound, compress, decompress, decompress_array, info, open_rdz, restore, wait_passively

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "bound",
    "compress",
    "decompress",
    "decompress_array",
    "info",
    "open_rdz",
    "register_pillow",
    "restore",
    "wait_passively",
]


def register_pillow() -> None:
    """Let Pillow's Image.open and Image.save handle .rdz files (as importing rdzip.pillow_plugin does)."""
    from rdzip.pillow_plugin import register

    register()

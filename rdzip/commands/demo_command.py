"""What `rdzip demo` prints."""

from __future__ import annotations

from rdzip.commands import demo as demonstration
from rdzip.commands.output import print_text, shape_text, table
from rdzip.commands.progress_bar import bar


def demo() -> None:
    """Run the demonstration and print its table to stdout. Raises RdzipError if the picture does not come back."""
    with bar("demo") as progress:
        done = demonstration.run(progress=progress)
    samples = 1
    for length in done.shape:
        samples *= length
    body = [[name, f"{size:,}", f"{8 * size / samples:.3f}"] for name, size in done.sizes.items()]
    coder = f"codec {done.codec}, model {done.model}" if done.model else f"codec {done.codec}"
    print_text(table([f"{shape_text(done.shape)} RGB", "BYTES", "BITS PER SAMPLE"], body))
    times = f"there in {done.seconds_there:.1f} s, back in {done.seconds_back:.1f} s"
    print_text(f"{times} ({coder}); every pixel came back as it was")

"""Pictures that one core reads, cuts and makes floats of in a second: what a vision run asks of its host."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np

from benchmarks.timing import median

#: Pictures of one run; width and height, about ImageNet's means; side after cutting.
COUNT, SIZE, SIDE = 60, (500, 375), 224


def rows() -> Iterator[tuple[str, str, str, float]]:
    """Pictures per second against copying their bytes; none where Pillow is not installed."""
    try:
        import PIL
        from PIL import Image
    except ImportError:
        print("pictures of a vision run: Pillow is not installed")
        return
    random = np.random.default_rng(0)
    coarse = Image.fromarray(random.integers(0, 255, (24, 32, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize(SIZE, Image.Resampling.BICUBIC), dtype=float)
    noisy = np.clip(smooth + random.normal(0, 20, smooth.shape), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noisy).save(file, "JPEG", quality=90)
    stored = file.getvalue()

    def load() -> None:
        for _ in range(COUNT):
            picture = Image.open(io.BytesIO(stored)).convert("RGB")
            cut = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=(40, 30, 440, 330))
            np.asarray(cut).astype(np.float32).transpose(2, 0, 1) / 255.0

    seconds = median(load)
    floor = median(lambda: [bytes(bytearray(stored)) for _ in range(COUNT)], 31)
    yield (
        f"a picture of {len(stored) / 1e3:.0f} kB decoded and cut, Pillow {PIL.__version__.partition('.')[0]}",
        f"{1e3 * seconds / COUNT:.1f} ms, {COUNT / seconds:.0f}/s a core", "copying its bytes", seconds / floor,
    )  # fmt: skip

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from convtrace.image import JpegFacts, jpeg


def save(pixels: NDArray[np.uint8], mode: str = "RGB", **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, "JPEG", **options)
    return stream.getvalue()


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def found(data: bytes) -> JpegFacts:
    result = jpeg.facts(data)
    assert result is not None
    return result


def zigzag_body(table: tuple[int, ...], number: int, *, wide: bool = False) -> bytes:
    """Return one DQT table, by a zigzag of its own: along the antidiagonals."""
    order = sorted(
        ((row, column) for row in range(8) for column in range(8)),
        key=lambda at: (sum(at), at[1] if sum(at) % 2 == 0 else at[0]),
    )
    entries = [table[8 * row + column] for row, column in order]
    head = bytes(((16 if wide else 0) | number,))
    return head + b"".join(entry.to_bytes(2 if wide else 1, "big") for entry in entries)


def frame_body(sampling: list[tuple[int, int, int]]) -> bytes:
    body = b"\x08\x00\x10\x00\x10" + bytes((len(sampling),))
    return body + b"".join(
        bytes((number + 1, horizontal << 4 | vertical, table))
        for number, (horizontal, vertical, table) in enumerate(sampling)
    )


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_quality_of_pillow_is_exact(rgb, subsampling):
    for quality in range(1, 101):
        facts = found(save(rgb[:16, :16], quality=quality, subsampling=subsampling))
        assert facts.quality == quality
        assert facts.luma_quality == quality
        assert facts.chroma_quality == quality
        assert facts.standard_tables
        assert facts.subsampling == subsampling
        assert len(facts.tables) == 2


def test_tables_agree_with_pillow(rgb):
    data = save(rgb, quality=63)
    with Image.open(io.BytesIO(data)) as image:
        expected = tuple(tuple(table) for table in image.quantization.values())
    assert found(data).tables == expected


def test_greyscale_has_one_table(rgb):
    facts = found(save(rgb, "L", quality=71))
    assert (facts.quality, facts.chroma_quality) == (71, None)
    assert facts.subsampling == "4:0:0"
    assert facts.standard_tables
    assert len(facts.tables) == 1


def test_cmyk(rgb):
    facts = found(save(rgb, "CMYK", quality=71))
    assert facts.quality == 71


@pytest.mark.parametrize("progressive", [False, True])
def test_progressive(rgb, progressive):
    assert found(save(rgb, progressive=progressive)).progressive is progressive


def test_each_channel_has_its_own_quality(rgb):
    tables = [list(jpeg.standard_table(90)), list(jpeg.standard_table(60, chroma=True))]
    facts = found(save(rgb, qtables=tables))
    assert (facts.luma_quality, facts.chroma_quality) == (90, 60)
    assert 60 <= facts.quality <= 90
    assert not facts.standard_tables


@pytest.mark.parametrize("quality", [20, 50, 80, 92])
def test_other_tables_give_the_nearest_quality(rgb, quality):
    """Tables near those of a quality, as other programs write them, give about that."""
    rng = np.random.default_rng(quality)
    tables = [
        np.clip(np.rint(np.array(jpeg.standard_table(quality, chroma=chroma)) * noise), 1, 255)
        .astype(int)
        .tolist()
        for chroma, noise in ((False, rng.uniform(0.85, 1.15, 64)), (True, 1.0))
    ]
    facts = found(save(rgb, qtables=tables))
    assert abs(facts.quality - quality) <= 2
    assert not facts.standard_tables


def test_shared_table_is_not_taken_for_chroma(rgb):
    facts = found(save(rgb, qtables=[list(jpeg.standard_table(77))]))
    assert (facts.quality, facts.chroma_quality, facts.standard_tables) == (77, None, True)


def test_walk_skips_fill_bytes_restarts_and_lookalikes():
    """An APP segment full of markers, fill bytes, 16-bit and several tables a segment."""
    luma, chroma = jpeg.standard_table(40), jpeg.standard_table(40, chroma=True)
    decoy = segment(0xDB, zigzag_body((255,) * 64, 0)) + b"\xff\xda\xff\xd9"
    data = (
        b"\xff\xd8"
        + segment(0xE1, decoy)
        + b"\xff\xff\xff"
        + segment(0xDB, zigzag_body(luma, 2, wide=True) + zigzag_body(chroma, 3))
        + b"\xff\xd0"
        + segment(0xC4, b"\x00" * 17)
        + segment(0xC2, frame_body([(2, 2, 2), (1, 1, 3), (1, 1, 3)]))
        + segment(0xDA, b"\x03")
        + segment(0xDB, zigzag_body((7,) * 64, 2))
    )
    facts = found(data)
    assert facts.tables == (luma, chroma)
    assert (facts.quality, facts.subsampling, facts.progressive) == (40, "4:2:0", True)


@pytest.mark.parametrize(
    ("sampling", "name"),
    [
        ([(1, 1), (1, 1), (1, 1)], "4:4:4"),
        ([(2, 2), (2, 2), (2, 2)], "4:4:4"),
        ([(1, 2), (1, 1), (1, 1)], "4:4:0"),
        ([(2, 2), (1, 2), (1, 2)], "4:2:2"),
        ([(4, 1), (1, 1), (1, 1)], "4:1:1"),
        ([(4, 2), (1, 1), (1, 1)], "4:1:0"),
        ([(2, 1), (1, 1), (1, 1), (2, 1)], "4:2:2"),
        ([(2, 2), (2, 1), (1, 1)], "2x2,2x1,1x1"),
        ([(1, 1), (2, 2), (2, 2)], "1x1,2x2,2x2"),
    ],
)
def test_subsampling(sampling, name):
    data = (
        b"\xff\xd8"
        + segment(0xDB, zigzag_body((3,) * 64, 0))
        + segment(0xC0, frame_body([(*each, 0) for each in sampling]))
    )
    assert found(data).subsampling == name


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8" + segment(0xDB, zigzag_body((3,) * 64, 0)),
        b"\xff\xd8" + segment(0xC0, frame_body([(1, 1, 0)])),
        b"\xff\xd8" + segment(0xDB, b"\x00" * 65) + segment(0xC0, frame_body([(1, 1, 0)])),
        b"\xff\xd8" + segment(0xDB, b"\x00\x01") + segment(0xC0, frame_body([(1, 1, 0)])),
        b"\xff\xd8" + segment(0xDB, zigzag_body((3,) * 64, 0)) + segment(0xC0, b"\x08"),
        b"\xff\xd8"
        + segment(0xDB, zigzag_body((3,) * 64, 0))
        + segment(0xC0, frame_body([(0, 1, 0)])),
    ],
    ids=[
        *("empty", "start", "png", "no-frame", "no-table", "zero-entries", "short-table"),
        *("short-frame", "zero-sampling"),
    ],
)
def test_no_facts(data):
    assert jpeg.facts(data) is None


@given(st.binary(max_size=400))
def test_noise_after_the_start_never_raises(noise):
    assert isinstance(jpeg.facts(b"\xff\xd8\xff" + noise), JpegFacts | None)


@pytest.mark.parametrize("quality", [0, 101, -1])
def test_standard_table_refuses(quality):
    with pytest.raises(ValueError, match="1 to 100"):
        jpeg.standard_table(quality)

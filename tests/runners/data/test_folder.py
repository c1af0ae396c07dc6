from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path
from threading import Barrier, BrokenBarrierError

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from ddspec_runners.data.decode import Undecodable, decode_image
from ddspec_runners.data.folder import FolderPart, inside
from ddspec_runners.faults import BadData

Pixels = npt.NDArray[np.uint8]


def noise(*shape: int) -> Pixels:
    rng = np.random.Generator(np.random.PCG64(3))
    return rng.integers(0, 256, shape, dtype=np.uint8)


def save(path: Path, pixels: npt.NDArray[np.generic], exif: bytes = b"") -> Path:
    Image.fromarray(pixels).save(path, exif=exif or Image.Exif())
    return path


def test_an_image_of_the_right_size_is_kept_as_it_is(tmp_path: Path) -> None:
    pixels = noise(8, 8, 3)

    found = decode_image(save(tmp_path / "a.png", pixels), size=8, channels=3)

    assert (found == pixels.transpose(2, 0, 1)).all()


@pytest.mark.parametrize(
    ("height", "width"),
    [
        pytest.param(40, 40, id="square"),
        pytest.param(37, 91, id="wide"),
        pytest.param(64, 33, id="tall"),
        pytest.param(9, 7, id="enlarged"),
    ],
)
def test_the_short_side_is_resized_and_the_centre_kept(
    tmp_path: Path, height: int, width: int
) -> None:
    pixels = noise(height, width, 3)
    size, short = 16, min(height, width)
    tall, wide = max(16, int(16 * height / short)), max(16, int(16 * width / short))
    resized = Image.fromarray(pixels).resize((wide, tall), Image.Resampling.BILINEAR)
    left, top = round((wide - size) / 2), round((tall - size) / 2)
    expected = np.asarray(resized.crop((left, top, left + size, top + size))).astype(int)

    found = decode_image(save(tmp_path / "a.png", pixels), size=size, channels=3)

    # the same filter on the same grid; its fixed-point weights may round one level apart
    assert np.abs(found.transpose(1, 2, 0).astype(int) - expected).max() <= 1


def test_one_pixel_fills_the_image(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", np.array([[[10, 20, 30]]], np.uint8))

    found = decode_image(path, size=4, channels=3)

    assert (found == np.array([10, 20, 30]).reshape(3, 1, 1)).all()


def test_a_thin_strip_never_builds_its_long_side(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", np.full((1, 60_000), 7, np.uint8))

    found = decode_image(path, size=224, channels=1)

    assert (found == 7).all()


def test_orientation_is_applied(tmp_path: Path) -> None:
    pixels = noise(8, 8)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate clockwise by 90 degrees to see it upright

    found = decode_image(save(tmp_path / "a.png", pixels, exif=exif.tobytes()), size=8, channels=1)

    assert (found[0] == np.rot90(pixels, -1)).all()


@pytest.mark.parametrize(
    ("pixels", "channels", "expected"),
    [
        pytest.param(np.full((4, 4), 9, np.uint8), 3, [9, 9, 9], id="grey-to-colour"),
        pytest.param(np.full((4, 4), 9, np.uint8), 4, [9, 9, 9, 255], id="grey-to-opaque"),
        pytest.param(np.full((4, 4), 257 * 9, np.uint16), 1, [9], id="deep-grey"),
        pytest.param(np.full((4, 4), 65_535, np.uint16), 3, [255] * 3, id="deep-grey-to-colour"),
        pytest.param(np.full((4, 4, 4), [1, 2, 3, 0], np.uint8), 3, [1, 2, 3], id="alpha-dropped"),
        pytest.param(np.full((4, 4, 4), [1, 2, 3, 5], np.uint8), 4, [1, 2, 3, 5], id="alpha-kept"),
        # ITU-R 601: (299 r + 587 g + 114 b) / 1000 = 58.7
        pytest.param(np.full((4, 4, 3), [0, 100, 0], np.uint8), 1, [59], id="luminance"),
    ],
)
def test_every_mode_becomes_the_channels_that_are_asked_for(
    tmp_path: Path, pixels: npt.NDArray[np.generic], channels: int, expected: list[int]
) -> None:
    found = decode_image(save(tmp_path / "a.png", pixels), size=4, channels=channels)

    assert found.shape == (channels, 4, 4)
    assert found[:, 1, 1].tolist() == expected


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 50, 60, 70])
    image.save(tmp_path / "a.gif")

    found = decode_image(tmp_path / "a.gif", size=4, channels=3)

    assert found[:, 0, 0].tolist() == [50, 60, 70]


def test_the_first_frame_of_several_is_taken(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    for name in ("a.gif", "a.tiff", "a.webp", "a.png"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)

        found = decode_image(tmp_path / name, size=8, channels=3)

        assert found[:, 4, 4].tolist() == [255, 0, 0]


def test_four_inks_become_three_colours(tmp_path: Path) -> None:
    colour = (200, 30, 60)
    Image.new("RGB", (16, 16), colour).convert("CMYK").save(tmp_path / "a.jpg", quality=100)

    found = decode_image(tmp_path / "a.jpg", size=16, channels=3)

    # JPEG's own rounding in another space moves an even colour by a level or two
    assert np.abs(found[:, 8, 8].astype(int) - colour).max() <= 2


def test_a_file_is_what_it_holds_whatever_it_is_called(tmp_path: Path) -> None:
    pixels = noise(8, 8, 3)
    Image.fromarray(pixels).save(tmp_path / "a.JPEG", format="PNG")

    found = decode_image(tmp_path / "a.JPEG", size=8, channels=3)

    assert (found == pixels.transpose(2, 0, 1)).all()


def test_each_of_four_channels_is_resized_by_itself(tmp_path: Path) -> None:
    pixels = noise(20, 30, 4)
    pixels[:10, :, 3] = 0  # weighted by it, the colours of the upper half would be lost
    path = save(tmp_path / "a.png", pixels)
    alone = [
        decode_image(save(tmp_path / f"{c}.png", pixels[:, :, c]), size=8, channels=1)
        for c in range(4)
    ]

    found = decode_image(path, size=8, channels=4)

    assert (found == np.concatenate(alone)).all()


def test_colour_of_sixteen_bits_keeps_its_high_byte(tmp_path: Path) -> None:
    row = b"\0" + struct.pack(">HHH", 0x0BFF, 0x6300, 0xFFFF) * 8
    (tmp_path / "a.png").write_bytes(png((8, 8, 16, 2), zlib.compress(row * 8)))

    found = decode_image(tmp_path / "a.png", size=8, channels=3)

    assert found[:, 0, 0].tolist() == [0x0B, 0x63, 0xFF]


def test_large_images_are_decoded_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = tree(tmp_path, 6)
    meeting = Barrier(2)
    met: list[int] = []

    def waits_for_another(path: Image.Image, size: int) -> Image.Image:
        try:
            met.append(meeting.wait(timeout=0.05))
        except BrokenBarrierError:
            meeting.reset()
        return path

    monkeypatch.setattr("ddspec_runners.data.decode.LARGE", 4 * 4 - 1)
    monkeypatch.setattr("ddspec_runners.data.decode._square", waits_for_another)

    blocks = list(part.blocks(np.arange(6)))

    assert met == []
    assert sum(len(block.images) for block in blocks) == 6


def png(head: tuple[int, int, int, int], body: bytes) -> bytes:
    """A PNG of (width, height, bits, colour type) and compressed rows."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = struct.pack(">IIBBBBB", *head, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", body), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def bomb(side: int) -> bytes:
    """A PNG of a few bytes whose header promises side x side pixels."""
    return png((side, side, 8, 0), b"")


def jpeg() -> bytes:
    file = io.BytesIO()
    Image.fromarray(noise(16, 16, 3)).save(file, format="JPEG")
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"this is text\n" * 9, id="text"),
        pytest.param(b"", id="empty"),
        pytest.param(bomb(60_000), id="bomb"),
        pytest.param(bomb(11_000), id="bomb-below-the-decoders-own-limit"),
        pytest.param(bomb(8)[:30], id="truncated"),
        pytest.param(jpeg()[:-2], id="a-photograph-without-its-end"),
        pytest.param(jpeg()[: len(jpeg()) // 2], id="half-a-photograph"),
    ],
)
def test_what_cannot_be_decoded_says_why(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with pytest.raises(Undecodable, match=r"\w+"):
            decode_image(path, size=8, channels=3)


def test_postscript_that_calls_itself_a_picture_is_never_interpreted(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n")

    with pytest.raises(Undecodable, match="not an image of a known format"):
        decode_image(path, size=8, channels=3)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP"])
def test_every_format_of_images_is_read(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a"
    Image.fromarray(noise(8, 8, 3)).save(path, format=form)

    assert decode_image(path, size=8, channels=3).shape == (3, 8, 8)


def test_floating_point_images_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tiff", np.zeros((4, 4), np.float32))

    with pytest.raises(Undecodable, match="no defined range"):
        decode_image(path, size=4, channels=1)


def test_levels_beyond_sixteen_bits_are_refused(tmp_path: Path) -> None:
    Image.new("I", (4, 4), 70_000).save(tmp_path / "a.tiff")

    with pytest.raises(Undecodable, match="no defined range"):
        decode_image(tmp_path / "a.tiff", size=4, channels=1)


def tree(root: Path, count: int) -> FolderPart:
    files = [save(root / f"{i:03}.png", np.full((4, 4), i, np.uint8)) for i in range(count)]
    return FolderPart(
        "train", tuple(files), np.zeros(count, np.int64), ("cat",), size=4, channels=1, threads=2
    )


def test_images_come_in_the_order_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ddspec_runners.data.folder.WINDOW_BYTES", 3 * 16)
    part = tree(tmp_path, 10)

    blocks = list(part.blocks(np.array([7, 1, 9, 0, 4, 2, 8], np.int64)))

    assert [block.images.shape for block in blocks] == [(3, 1, 4, 4), (3, 1, 4, 4), (1, 1, 4, 4)]
    assert np.concatenate([block.images for block in blocks])[:, 0, 0, 0].tolist() == [
        7,
        1,
        9,
        0,
        4,
        2,
        8,
    ]


def test_undecodable_images_are_counted_and_the_first_twenty_named(tmp_path: Path) -> None:
    part = tree(tmp_path, 30)
    for path in part.files[3:28]:
        path.write_bytes(b"no image")

    with pytest.raises(BadData) as error:
        list(part.blocks(np.arange(30)))

    lines = str(error.value).splitlines()
    assert lines[0] == "25 of 30 images cannot be decoded"
    assert "train/cat/003.png: not an image" in lines[1]
    assert len(lines) == 23  # the head, twenty names, how many more, the way out
    assert lines[-2].strip() == "… and 5 more"
    assert "`ddspec lock SPEC`" in lines[-1]
    assert "`dataset.corrupt: 25`" in lines[-1]


def test_a_link_out_of_the_data_is_refused(tmp_path: Path) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    data.mkdir()
    elsewhere.mkdir()
    (data / "link").symlink_to(elsewhere)
    (data / "fine").symlink_to(data)

    assert inside(data, data / "fine") == data
    with pytest.raises(BadData, match="leads out of the data directory"):
        inside(data, data / "link")
    with pytest.raises(BadData, match="leads out of the data directory"):
        inside(data, data / ".." / "elsewhere")

"""Bad and unusual pictures: each is either decoded to values worked out by hand, or refused."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_cbam.errors import ImageError
from fer_cbam.images import decode_image


def encode(image: Image.Image, file_format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + checksum


def gradient(height: int = 40, width: int = 60) -> np.ndarray:
    """Smooth RGB picture whose four corners all differ."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([4 * x, 5 * y, 255 - 2 * (x + y)], axis=2).astype(np.uint8)


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "TIFF", "GIF", "WEBP", "JPEG"])
def test_formats_give_the_pixels(file_format):
    pixels = gradient()
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95, "subsampling": 0}}
    decoded = decode_image(
        encode(Image.fromarray(pixels), file_format, **options.get(file_format, {}))
    )
    assert decoded.dtype == np.uint8
    assert decoded.shape == (40, 60, 3)
    # JPEG is lossy; a GIF has 256 colours.
    tolerance = {"JPEG": 6, "GIF": 32}.get(file_format, 0)
    assert np.abs(decoded.astype(int) - pixels).max() <= tolerance


def test_every_kind_of_source_gives_the_same(tmp_path):
    pixels = gradient()
    data = encode(Image.fromarray(pixels), "PNG")
    path = tmp_path / "picture.of.mine"
    path.write_bytes(data)
    for source in (path, str(path), data, bytearray(data), memoryview(data),
                   Image.open(io.BytesIO(data)), pixels):  # fmt: skip
        np.testing.assert_array_equal(decode_image(source), pixels)


def test_the_name_of_a_file_does_not_decide(tmp_path):
    path = tmp_path / "really_a_png.jpg"
    path.write_bytes(encode(Image.fromarray(gradient()), "PNG"))
    np.testing.assert_array_equal(decode_image(path), gradient())


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation, file_format):
    """TIFF 6.0, tag 274: on which side of the upright picture the stored first row and first
    column lie (6: first row on the right, first column on top)."""
    upright = gradient()
    transposed = upright.transpose(1, 0, 2)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: transposed,
        6: transposed[::-1],
        7: transposed[::-1, ::-1],
        8: transposed[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    data = encode(Image.fromarray(np.ascontiguousarray(stored)), file_format, exif=exif)
    np.testing.assert_array_equal(decode_image(data), upright)
    np.testing.assert_array_equal(decode_image(Image.open(io.BytesIO(data))), upright)


def test_16_bit_grey_is_scaled_not_cut():
    wide = np.array([[0, 128, 129, 256], [257, 32768, 65406, 65535]], np.uint16)
    expected = np.rint(wide / 65535 * 255).astype(np.uint8)
    assert expected.max() == 255
    for file_format in ("PNG", "TIFF"):
        decoded = decode_image(encode(Image.fromarray(wide), file_format))
        np.testing.assert_array_equal(decoded, np.repeat(expected[..., None], 3, axis=2))


def test_16_bit_colour_png():
    row = b"\0" + struct.pack(">6H", 65535, 0, 0x8000, 0x1234, 0xFF00, 0x00FF)
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">2I5B", 2, 1, 16, 2, 0, 0, 0))
    data += png_chunk(b"IDAT", zlib.compress(row)) + png_chunk(b"IEND", b"")
    expected = np.array([[[255, 0, 128], [18, 254, 1]]])
    assert np.abs(decode_image(data) - expected).max() <= 1


def test_cmyk_jpeg_is_not_inverted():
    cmyk = np.zeros((16, 16, 4), np.uint8)
    cmyk[..., 0] = 255  # full cyan, no black: red 0, green and blue 255
    data = encode(Image.fromarray(cmyk, "CMYK"), "JPEG", quality=95)
    assert np.abs(decode_image(data).astype(int) - (0, 255, 255)).max() <= 3


def test_alpha_is_laid_over_white():
    rgba = np.array([[[10, 20, 30, 255], [200, 0, 0, 0], [0, 100, 200, 51]]], np.uint8)
    # 51 / 255 = 0.2: 0.2 * colour + 0.8 * 255
    expected = np.array([[[10, 20, 30], [255, 255, 255], [204, 224, 244]]], np.uint8)
    np.testing.assert_array_equal(decode_image(encode(Image.fromarray(rgba), "PNG")), expected)
    np.testing.assert_array_equal(decode_image(rgba), expected)
    np.testing.assert_array_equal(decode_image(Image.fromarray(rgba).convert("RGBa"))[:, :2],
                                  expected[:, :2])  # fmt: skip


def test_grey_with_alpha_is_laid_over_white():
    la = np.array([[[100, 255], [100, 0], [0, 51]]], np.uint8)
    decoded = decode_image(encode(Image.fromarray(la, "LA"), "PNG"))
    assert decoded[0, :, 0].tolist() == [100, 255, 204]
    assert (decoded == decoded[..., :1]).all()


def test_palette_with_a_transparent_colour():
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    image.putpalette([1, 2, 3, 40, 50, 60, 7, 8, 9])
    plain = encode(image, "PNG")
    assert decode_image(plain).tolist() == [[[1, 2, 3], [40, 50, 60], [7, 8, 9]]]
    clear = encode(image, "PNG", transparency=1)
    assert decode_image(clear).tolist() == [[[1, 2, 3], [255, 255, 255], [7, 8, 9]]]


def test_one_bit_picture():
    bits = Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).convert("1")
    assert decode_image(encode(bits, "PNG"))[..., 1].tolist() == [[0, 255], [255, 0]]


def test_first_frame_of_a_gif():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime")]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (decode_image(data) == (255, 0, 0)).all()


def test_one_pixel():
    pixel = np.array([[[1, 2, 3]]], np.uint8)
    np.testing.assert_array_equal(decode_image(encode(Image.fromarray(pixel), "PNG")), pixel)


def test_phone_jpeg_with_a_second_picture_inside():
    """MPO: an ordinary JPEG followed by another, as phones write portraits."""
    first, second = (Image.new("RGB", (16, 16), c) for c in ("white", "black"))
    data = encode(first, "MPO", save_all=True, append_images=[second])
    assert Image.open(io.BytesIO(data)).format == "MPO"
    assert (decode_image(data) >= 250).all()


# --- beside the pixels ------


def jpeg_segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def exif_with(tag: int, kind: int, count: int, value: bytes) -> bytes:
    """EXIF data that say "first row on the right" (6), and one more tag."""
    at = 8 + 2 + 2 * 12 + 4
    entries = struct.pack("<HHIHH", 274, 3, 1, 6, 0) + struct.pack("<HHII", tag, kind, count, at)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", 2) + entries + struct.pack("<I", 0) + value


BAD_TAGS = {
    "resolution 0/0": (282, 5, 1, struct.pack("<II", 0, 0)),
    "negative resolution": (282, 10, 1, struct.pack("<ii", -72, 1)),
    "resolution in words": (282, 2, 8, b"72 dpi\0\0"),
    "resolution NaN": (282, 12, 1, struct.pack("<d", float("nan"))),
    "exposure bias -1/0": (37380, 10, 1, struct.pack("<ii", -1, 0)),
    "GPS data outside the file": (34853, 4, 1, b""),
    "a tag of no known kind": (700, 99, 7, b"\xff" * 7),
}


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("bad", BAD_TAGS)
def test_a_bad_tag_neither_refuses_a_photo_nor_hides_its_orientation(bad, file_format):
    upright = gradient()
    stored = Image.fromarray(np.ascontiguousarray(upright.transpose(1, 0, 2)[::-1]))
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95, "subsampling": 0}}
    exif = exif_with(*BAD_TAGS[bad])
    exif = exif if file_format == "PNG" else b"Exif\0\0" + exif
    data = encode(stored, file_format, exif=exif, **options.get(file_format, {}))
    for source in (data, Image.open(io.BytesIO(data))):
        decoded = decode_image(source)
        assert decoded.shape == upright.shape
        assert np.abs(decoded.astype(int) - upright).max() <= (6 if file_format == "JPEG" else 0)


PNG = encode(Image.fromarray(gradient()), "PNG")
PNG_SIDE_DATA = {
    "a text of 2 MB": png_chunk(b"zTXt", b"workflow\0\0" + zlib.compress(b"x" * 2_000_000)),
    "many texts": png_chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * 900_000)) * 80,
    "international text of 2 MB": png_chunk(
        b"iTXt", b"a\0\1\0\0\0" + zlib.compress(b"x" * 2_000_000)
    ),
    "EXIF that is none": png_chunk(b"eXIf", b"garbage"),
    "a comment with a wrong checksum": png_chunk(b"tEXt", b"Comment\0hello")[:-4] + b"\0\0\0\0",
    "EXIF with a wrong checksum": png_chunk(b"eXIf", b"II*\0\x08\0\0\0")[:-4] + b"\0\0\0\0",
    "a short gamma": png_chunk(b"gAMA", b"\0"),
    "a short resolution": png_chunk(b"pHYs", b"\0"),
    "a profile of 2 MB": png_chunk(b"iCCP", b"a\0\0" + zlib.compress(b"x" * 2_000_000)),
    "an empty profile": png_chunk(b"iCCP", b""),
    "a short animation": png_chunk(b"acTL", b"\0"),
}


@pytest.mark.parametrize("beside", PNG_SIDE_DATA)
def test_what_lies_beside_the_pixels_of_a_png(beside):
    data = PNG[:33] + PNG_SIDE_DATA[beside] + PNG[33:]
    np.testing.assert_array_equal(decode_image(data), gradient())


def test_orientation_of_a_png_beside_a_large_comment():
    exif = Image.Exif()
    exif[274] = 3
    data = encode(Image.fromarray(gradient()[::-1, ::-1].copy()), "PNG", exif=exif)
    data = data[:33] + PNG_SIDE_DATA["a text of 2 MB"] + data[33:]
    np.testing.assert_array_equal(decode_image(data), gradient())


@pytest.mark.filterwarnings("ignore:Image appears to be a malformed MPO")
@pytest.mark.parametrize(
    "segment",
    [
        jpeg_segment(0xE1, b"Exif\0\0garbage"),
        jpeg_segment(0xE2, b"ICC_PROFILE\0\1\2short"),
        jpeg_segment(0xE2, b"MPF\0garbage"),
        jpeg_segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04"),
        jpeg_segment(0xED, b"Photoshop 3.0\x008BIM\x03\xed\0\0\0\0\0\1a"),
        jpeg_segment(0xFE, b"\xff\xd8\xff"),
    ],
)
def test_what_lies_beside_the_pixels_of_a_jpeg(segment):
    data = encode(Image.fromarray(gradient()), "JPEG", quality=95, subsampling=0)
    decoded = decode_image(data[:2] + segment + data[2:])
    np.testing.assert_array_equal(decoded, decode_image(data))


def test_a_tiff_with_a_resolution_in_words_and_on_its_side():
    upright = gradient()
    stored = Image.fromarray(np.ascontiguousarray(upright.transpose(1, 0, 2)[::-1]))
    exif = Image.Exif()
    exif[274] = 6
    data = encode(stored, "TIFF", exif=exif, dpi=(72, 72))
    at = data.index(struct.pack("<HHI", 282, 5, 1))  # a rational number becomes text
    data = data[:at] + struct.pack("<HHI", 282, 2, 8) + data[at + 8 :]
    np.testing.assert_array_equal(decode_image(data), upright)


def test_whatever_a_decoder_raises_is_an_image_error(monkeypatch):
    def fails(*_args, **_options):
        raise ZeroDivisionError("0/0")

    monkeypatch.setattr(Image.Image, "convert", fails)
    with pytest.raises(ImageError, match="damaged or truncated"):
        decode_image(PNG)
    monkeypatch.setattr(Image, "open", fails)
    with pytest.raises(ImageError, match="expected a whole"):
        decode_image(PNG)


# --- refused ---------------------------------------------------------------------------------


def test_not_an_image(tmp_path):
    with pytest.raises(ImageError, match=r"not a picture.*expected JPEG, PNG"):
        decode_image(b"%PDF-1.4 nothing to see")
    path = tmp_path / "text.jpg"
    path.write_text("hello")
    with pytest.raises(ImageError, match=r"text\.jpg: not a picture"):
        decode_image(path)


@pytest.mark.parametrize("file_format", ["PPM", "ICO", "PCX", "TGA", "EPS"])
def test_other_formats_are_refused_though_pillow_reads_them(file_format):
    with pytest.raises(ImageError, match="not a picture"):
        decode_image(encode(Image.fromarray(gradient()), file_format))


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"\0\0\0\x18ftypmif1", "HEIC"),
        (b"\0\0\0\x18ftypavif", "AVIF"),
        (b"\0\0\0\x18ftypisom", "MP4 or MOV"),
        (b"\xff\x0a\xfa\x1f", "JPEG XL"),
        (b"\0\0\0\x0cJXL \x0d\x0a\x87\x0a", "JPEG XL"),
        (b"\0\0\0\x0cjP  \x0d\x0a\x87\x0a", "JPEG 2000"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg">', "SVG"),
        (b"8BPS\0\1", "Photoshop"),
        (b"\x1a\x45\xdf\xa3", "WebM or MKV"),
    ],
)
def test_a_sound_file_of_another_format_is_named(tmp_path, head, kind):
    path = tmp_path / "photo.jpg"
    path.write_bytes(head + b"\0" * 300)
    for source in (path, path.read_bytes()):
        with pytest.raises(ImageError, match=f": {kind}, which is not read here; save it as JPEG"):
            decode_image(source)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data:image/jpeg;base64," + "A" * 90_000, r"^data:image/jpeg.*90023 characters.*data URL"),
        ("A" * 5_000, r"^A{80}\.\.\. \(5000 characters\): no such file"),
        ("https://example.com/a.jpg", r"^https://example\.com/a\.jpg: an address"),
        (Path("https://example.com/a.jpg"), r"^https://example\.com/a\.jpg: an address"),
        ("s3://bucket/a.jpg", r"^s3://bucket/a\.jpg: an address"),
        ("~/a.jpg", r"^~/a\.jpg: .* ~ is not expanded"),
    ],
)
def test_a_text_that_is_no_path_is_named_and_not_repeated(text, message):
    with pytest.raises(ImageError, match=message) as raised:
        decode_image(text)
    assert len(str(raised.value)) < 300


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_file", denied)
    with pytest.raises(ImageError, match=r"a\.jpg: may not be read \(Permission denied\)"):
        decode_image(tmp_path / "a.jpg")


def test_zero_bytes(tmp_path):
    with pytest.raises(ImageError, match="got 0 bytes"):
        decode_image(b"")
    path = tmp_path / "empty.png"
    path.touch()
    with pytest.raises(ImageError, match=r"empty\.png: got 0 bytes"):
        decode_image(path)


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / "none.jpg", tmp_path):
        with pytest.raises(ImageError, match="no such file"):
            decode_image(path)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
@pytest.mark.parametrize("share", [0.001, 0.34, 0.9])
def test_truncated_file_is_an_error_not_half_a_picture(file_format, share):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = encode(Image.fromarray(noise), file_format)
    with pytest.raises(ImageError, match=r"truncated|damaged|whole"):
        decode_image(data[: int(len(data) * share)] or data[:1])


def test_truncated_pil_image():
    data = encode(Image.fromarray(gradient(200, 200)), "JPEG")
    with pytest.raises(ImageError, match="PIL image: damaged or truncated"):
        decode_image(Image.open(io.BytesIO(data[: len(data) // 2])))


def bomb_header(side: int) -> bytes:
    """A PNG that says side x side, with no pixels behind it."""
    header = png_chunk(b"IHDR", struct.pack(">2I5B", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(b"\0" * 100))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [7_100, 12_000, 20_000])
def test_bomb_is_refused_from_its_header(side):
    """12,000 is where Pillow only warns, 7,100 where it says nothing."""
    limit = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ImageError, match="expected at most 50000000 pixels"):
        decode_image(bomb_header(side))
    assert limit == Image.MAX_IMAGE_PIXELS


def test_bomb_is_refused_where_pillows_own_limit_is_off(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(ImageError, match="got 20000x20000; expected at most 50000000 pixels"):
        decode_image(bomb_header(20_000))


def test_limit_counts_for_pil_images_and_can_be_set():
    image = Image.fromarray(gradient(40, 60))
    with pytest.raises(ImageError, match="got 60x40; expected at most 2399 pixels"):
        decode_image(image, max_pixels=2399)
    assert decode_image(image, max_pixels=2400).shape == (40, 60, 3)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pil_modes_without_a_known_range(mode):
    with pytest.raises(ImageError, match=f"pixels are '{mode}'; expected"):
        decode_image(Image.new(mode, (4, 4)))


@pytest.mark.parametrize("source", [None, 3, ["a"], object()])
def test_other_types(source):
    with pytest.raises(ImageError, match=f"got {type(source).__name__}; expected a path"):
        decode_image(source)


def test_path_with_a_null_byte():
    with pytest.raises(ImageError, match="no such file"):
        decode_image("a\0b.png")


# --- arrays ----------------------------------------------------------------------------------


def test_grey_arrays():
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    expected = np.stack([grey] * 3, axis=2)
    np.testing.assert_array_equal(decode_image(grey), expected)
    np.testing.assert_array_equal(decode_image(grey[..., None]), expected)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_float_array_in_unit_range(dtype):
    array = np.array([[0, 0.25, 0.5, 1]], dtype)
    assert decode_image(array)[0, :, 0].tolist() == [0, 64, 128, 255]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_rounding_error_beyond_the_range_is_none(dtype):
    array = np.array([[-0.001, 0, 1, 1.001]], dtype)  # half a grey level is 0.00196
    assert decode_image(array)[0, :, 0].tolist() == [0, 0, 255, 255]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((4, 4, 3), np.nan), "NaN or infinite"),
        (np.array([[0.5, np.inf]]), "NaN or infinite"),
        (np.array([[0.0, 200.0]]), "from 0 to 200; expected uint8, or float in"),
        (np.array([[-0.1, 0.5]]), "from -0.1 to 0.5"),
        (np.array([[0.0, 1.003]]), "from 0 to 1.003"),
        (np.zeros((4, 4), np.int64), "got dtype int64"),
        (np.zeros((4, 4), np.uint16), "got dtype uint16"),
        (np.zeros((4, 4), bool), "got dtype bool"),
        (np.zeros((4, 4), complex), "got dtype complex128"),
        (np.array([["a"]]), "got dtype <U1"),
        (np.zeros((4, 4), object), "got dtype object"),
        (np.zeros(16, np.uint8), r"got shape \(16,\)"),
        (np.zeros((1, 4, 4, 3), np.uint8), r"got shape \(1, 4, 4, 3\)"),
        (np.zeros((3, 4, 5), np.uint8), r"got shape \(3, 4, 5\)"),
        (np.zeros((4, 4, 2), np.uint8), r"got shape \(4, 4, 2\)"),
        (np.zeros((0, 4, 3), np.uint8), "which is empty"),
        (np.zeros((4, 0), np.uint8), "which is empty"),
        (np.array([], np.uint8), r"got shape \(0,\)"),
    ],
)
def test_bad_arrays(array, message):
    with pytest.raises(ImageError, match=message):
        decode_image(array)


def test_non_contiguous_array_is_read_as_it_looks():
    pixels = gradient()[::-1, ::2]
    decoded = decode_image(pixels)
    assert decoded.flags.c_contiguous
    np.testing.assert_array_equal(decoded, pixels)


@pytest.mark.data
def test_photographs(data_dir: Path):
    """Sizes in photos.csv are those of the upright pictures."""
    import csv

    with (data_dir / "faces" / "photos.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        image = decode_image(data_dir / "faces" / "photos" / row["file"])
        assert image.shape == (int(row["height"]), int(row["width"]), 3), row["file"]

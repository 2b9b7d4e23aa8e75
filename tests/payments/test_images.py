"""Pictures of strangers: what is kept of them, and what is refused."""

from __future__ import annotations

import base64
import struct
import zlib

import pytest

from payments.services.images import LARGEST, MOST, PNG, InvalidImage, checked

# Drawn and encoded by Chromium: 16 by 16, and 20 by 16 where they are transparent.
JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1tdhbWGkJ6j"
    "q62rZ4C8ybqmx5moq6T/2wBDARweHigjKE4rK06kbl1upKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSk"
    "pKSkpKSkpKT/wAARCAAQABADASIAAhEBAxEB/8QAFgABAQEAAAAAAAAAAAAAAAAAAQAD/8QAHBAAAQQDAQAAAAAAAAAAAAAAAgED"
    "BREABCIS/8QAFQEBAQAAAAAAAAAAAAAAAAAAAwT/xAAYEQACAwAAAAAAAAAAAAAAAAAAERIhIv/aAAwDAQACEQMRAD8A3kpB4tg2"
    "2zUABa5WrxjZB4dgG3DUwNa6W1TCSj3h2DcbbIwNfXKXWUbHvFsA442QAC+ukq1wrZbiB//Z"
)
WEBP = base64.b64decode(
    "UklGRoQAAABXRUJQVlA4IHgAAABwAgCdASoQABAABABoJbACdAYsZ2+dTzF9eiWAAP7yhfTOl3tSVW3O+vV7z7PjLpsnH8qTLySN"
    "z9/miy1INHxSzPQeqtDzEet4eWaBZaH66cvgyDBhV3ZfQukvlfymaHtk5siX+vJX2nWnEOXdOphA9kkkBamkAAA="
)
CLEAR = base64.b64decode(
    "UklGRv4AAABXRUJQVlA4WAoAAAAQAAAAEwAADwAAQUxQSI0AAAANcFpt27I8uGxg7W8CEdagOQu4RM6fsMqfmAEamTHck3t15/ve"
    "GSJiAsDViui/QPflZUDoKi2CrYZ/k7u0zR04VfCj3gQrAKpfU2dkSMiof1qZ5uq9ALhBtzrHAC5mGnvstJLO879Xz0Vqg6lmSCqr"
    "rvETGm8WYoqdsy6Ae3J58m4Trm2lA2qz0hUwAxcAVlA4IEoAAABQAwCdASoUABAAPxFysFAsJqSisAgBgCIJbACdFQAuwADe2AD+"
    "3hH/iZXqbVf/s+CWcx/tQs3SA791XPttHnx+EXFFsIEnrUAAAA=="
)
LOSSLESS = base64.b64decode(
    "UklGRsIAAABXRUJQVlA4TLYAAAAvE8ADEK+goG0jJ+0NVMcf1E8aCtq2YdKNP6uR+jOQtk3L9Ny/uf1X1EiSGswsH//Y0QUPTcy4"
    "vlhZwqO9O0Rko9hu+swPwvL/xyT8P0eS4B+AjwMeegjpYBhJUiLc4XU3/1zRECL6r8BtGyXjY/gFSZKkcE6QJDln8fqB/wqrzFQA"
    "AICsZwowa5ksAStNI21NGzf61rzDPh5Yq+3YLUPxru0TR0POFjp6q/n91D3bI8/f/uiPCA=="
)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int = 20, height: int = 16, pixels: bytes | None = None, interlaced: int = 0, more: bytes = b""
) -> bytes:
    """Eight bits of grey a pixel. `more`: chunks before the pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, interlaced))
    rows = (b"\0" + b"\x80" * width) * height if pixels is None else pixels
    return PNG + head + more + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def riff(*parts: tuple[bytes, bytes]) -> bytes:
    body = b"".join(struct.pack("<4sI", kind, len(data)) + data + b"\0" * (len(data) % 2) for kind, data in parts)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def test_a_picture_is_kept_without_what_it_does_not_need() -> None:
    place = b"Exif\0\0 52.5 N 13.4 E"
    hidden = b"<script>alert(1)</script>"
    for plain, dressed, shown in (
        (png(), png(more=chunk(b"tEXt", hidden) + chunk(b"eXIf", place) + chunk(b"acTL", b"\0" * 8)), ("image/png", 20, 16)),
        (JPEG, JPEG[:2] + segment(0xE1, place) + segment(0xFE, hidden) + JPEG[2:], ("image/jpeg", 16, 16)),
        (WEBP, riff((b"VP8X", b"\x2c" + b"\0" * 9), (b"ICCP", hidden), (b"VP8 ", WEBP[20:]), (b"EXIF", place)), ("image/webp", 16, 16)),
        (CLEAR, CLEAR, ("image/webp", 20, 16)),
        (LOSSLESS, LOSSLESS, ("image/webp", 20, 16)),
    ):  # fmt: skip
        for sent in (plain, dressed, dressed + hidden):  # the last: another file behind the picture's end
            kept = checked(sent)
            assert (kept.media_type, kept.width, kept.height) == shown
            assert kept.data == plain, shown
    # Seven passes: a pixel, a pixel ... of a row of its own each.
    rows = sum((1 + -(-(20 - x) // dx)) * -(-(16 - y) // dy) for x, y, dx, dy in (
        (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)))  # fmt: skip
    assert checked(png(pixels=b"\0" * rows, interlaced=1)).width == 20


def test_what_is_no_picture_is_refused() -> None:
    turned = bytearray(png())
    turned[-20] ^= 1  # a checksum is wrong now
    moving = riff((b"VP8X", b"\x02" + b"\0" * 9), (b"ANIM", b"\0" * 6), (b"ANMF", WEBP[12:]))
    for name, sent in {
        "nothing": b"",
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>",
        "gif": b"GIF89a\1\0\1\0",
        "html": b"<html>",
        "large": png() + b"\0" * LARGEST,
        "wide": png(width=MOST + 1),
        "tiny": png(width=15),
        "bomb": png(width=MOST, height=MOST, pixels=b"\0" * 1_000_000),
        "more pixels than it says": png(pixels=b"\0" * 40_000_000),
        "no pixels": PNG + chunk(b"IHDR", struct.pack(">IIBBBBB", 20, 16, 8, 0, 0, 0, 0)) + chunk(b"IEND", b""),
        "two heads": PNG + png()[8:33] + png()[8:],
        "colours": PNG + chunk(b"IHDR", struct.pack(">IIBBBBB", 20, 16, 8, 7, 0, 0, 0)) + png()[33:],
        "checksum": bytes(turned),
        "moving": moving,
        "no frame": JPEG[:2] + b"\xff\xd9",
        "lossless jpeg": JPEG.replace(b"\xff\xc0", b"\xff\xc3"),
        "webp of nothing": riff((b"EXIF", b"x")),
        "webp of another kind": riff((b"VP8 ", b"\0" * 20)),
        "webp twice": riff((b"VP8 ", WEBP[20:]), (b"VP8 ", WEBP[20:])),
    }.items():
        with pytest.raises(InvalidImage):  # else: which it was
            print(name, checked(sent))


def test_a_picture_that_is_cut_anywhere_is_refused() -> None:
    for whole in (png(), JPEG, WEBP, CLEAR, LOSSLESS):
        for end in range(len(whole) - 1):
            with pytest.raises(InvalidImage):
                checked(whole[:end])

"""Pictures that strangers send: a PNG, JPEG or WebP is taken apart, checked, and written anew of its needed parts alone.

What is left out: comments, colour profiles, EXIF (a photo's place and owner, and its rotation), and whatever follows the
picture's end, where another file could hide. Rejected: SVG, which may hold scripts; and Pillow, a large library of decoders
in C, to be fed with strangers' bytes. The browser decodes the picture, as any other of the web.
Sources: PNG (W3C, third edition), JPEG (ITU T.81), WebP's container (RFC 9649).
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

LARGEST = 100_000  # bytes: it is on the first page, too
LEAST, MOST = 16, 1_500  # pixels of a side
PNG, RIFF = b"\x89PNG\r\n\x1a\n", b"RIFF"
PNG_PARTS = {b"IHDR", b"PLTE", b"tRNS", b"sRGB", b"gAMA", b"IDAT", b"IEND"}
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # samples of a pixel, by PNG's colour type
# Where the pixels of a pass begin, and their distances: in one pass, or in the seven of an interlaced picture.
PASSES = (
    [(0, 0, 1, 1)],
    [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)],
)
# JPEG's segments that hold what is drawn: quantisation, Huffman tables, restarts; JFIF's head and Adobe's colours.
JPEG_PARTS = {0xDB, 0xC4, 0xDD, 0xE0, 0xEE}
FRAMES = {0xC0, 0xC1, 0xC2}  # baseline, extended and progressive; no browser shows another
SCAN, END = 0xDA, 0xD9


class InvalidImage(Exception):
    """The bytes are no picture of these kinds, or one that is too large or too small. The message says why."""


@dataclass(frozen=True)
class Image:
    """A checked picture: its bytes as they are kept, its media type, and its sides in pixels."""

    data: bytes
    media_type: str
    width: int
    height: int


def checked(data: bytes) -> Image:
    """The picture in these bytes, written anew. Raises InvalidImage."""
    if len(data) > LARGEST:
        raise InvalidImage("too many bytes")
    try:
        if data.startswith(PNG):
            found = Image(*_png(data))
        elif data.startswith(b"\xff\xd8\xff"):
            found = Image(*_jpeg(data))
        elif data[:4] == RIFF and data[8:12] == b"WEBP":
            found = Image(*_webp(data))
        else:
            raise InvalidImage("neither PNG, JPEG nor WebP")
    except (struct.error, zlib.error, IndexError) as error:
        raise InvalidImage("broken") from error
    if not (LEAST <= found.width <= MOST and LEAST <= found.height <= MOST):
        raise InvalidImage("too large or too small")
    return found


def _png(data: bytes) -> tuple[bytes, str, int, int]:
    """Every chunk's checksum is right, and the pixels are as many as the head says: a bomb unpacks no further."""
    at, kept, pixels, head = len(PNG), [PNG], [], b""
    kind = b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        chunk = data[at : at + 12 + length]
        if len(chunk) != 12 + length or zlib.crc32(chunk[4:-4]) != struct.unpack(">I", chunk[-4:])[0]:
            raise InvalidImage("broken")
        if (at == len(PNG)) != (kind == b"IHDR"):
            raise InvalidImage("broken")
        if kind == b"IHDR":
            head = chunk[8:-4]
        if kind == b"IDAT":
            pixels.append(chunk[8:-4])
        if kind in PNG_PARTS:
            kept.append(chunk)
        at += len(chunk)
    width, height, depth, colours, _, _, interlaced = struct.unpack(">IIBBBBB", head)
    if not (0 < width <= MOST and 0 < height <= MOST):
        raise InvalidImage("too large or too small")
    if colours not in CHANNELS or depth not in {1, 2, 4, 8, 16} or interlaced > 1:
        raise InvalidImage("broken")
    size = 0
    for left, top, across, down in PASSES[interlaced]:
        columns, rows = -((left - width) // across), -((top - height) // down)
        size += rows * (1 + (columns * depth * CHANNELS[colours] + 7) // 8) if columns > 0 else 0
    unpacked = zlib.decompressobj()
    if len(unpacked.decompress(b"".join(pixels), size + 1)) != size or not unpacked.eof:
        raise InvalidImage("broken")
    return b"".join(kept), "image/png", width, height


def _jpeg(data: bytes) -> tuple[bytes, str, int, int]:
    """Segment by segment; a scan goes on until the next marker that is no restart (D0 to D7) and no stuffed zero."""
    at, kept, width, height, scans = 2, [data[:2]], 0, 0, 0
    while True:
        if data[at] != 0xFF:
            raise InvalidImage("broken")
        marker = data[at + 1]
        if marker == 0xFF:  # fill
            at += 1
            continue
        if marker == END:
            break
        end = at + 2 + struct.unpack_from(">H", data, at + 2)[0]
        if marker in FRAMES:
            if width:
                raise InvalidImage("broken")
            height, width = struct.unpack_from(">HH", data, at + 5)
        elif marker == SCAN:
            scans += 1
            while data[end] != 0xFF or data[end + 1] in {0, *range(0xD0, 0xD8)}:
                end += 1
        elif marker not in JPEG_PARTS and not (0xE1 <= marker <= 0xEF or marker == 0xFE):
            raise InvalidImage("broken")
        if marker in FRAMES | JPEG_PARTS | {SCAN}:
            kept.append(data[at:end])
        at = end
    if not (scans and width and height):
        raise InvalidImage("broken")
    return b"".join([*kept, b"\xff\xd9"]), "image/jpeg", width, height


def _webp(data: bytes) -> tuple[bytes, str, int, int]:
    """The picture (VP8, VP8L) and its transparency (ALPH). One with frames that move is refused."""
    whole = struct.unpack_from("<I", data, 4)[0] + 8
    if whole > len(data):
        raise InvalidImage("broken")
    at, parts = 12, dict[bytes, bytes]()
    while at < whole:
        kind, length = struct.unpack_from("<4sI", data, at)
        body = data[at + 8 : at + 8 + length]
        if len(body) != length or kind in parts or kind in {b"ANIM", b"ANMF"}:
            raise InvalidImage("moving" if kind.startswith(b"AN") else "broken")
        parts[kind] = body
        at += 8 + length + length % 2
    if b"VP8L" in parts:
        body = parts[b"VP8L"]
        bits = struct.unpack_from("<I", body, 1)[0]
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        signed = body[0] == 0x2F
        kept = {b"VP8L": body}
    elif b"VP8 " in parts:
        body = parts[b"VP8 "]
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", body, 6))
        signed = body[3:6] == b"\x9d\x01\x2a"
        kept = {b"VP8 ": body}
        if alpha := parts.get(b"ALPH"):
            canvas = b"\x10\0\0\0" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
            kept = {b"VP8X": canvas, b"ALPH": alpha, **kept}
    else:
        raise InvalidImage("broken")
    if not signed:
        raise InvalidImage("broken")
    written = b"".join(
        struct.pack("<4sI", kind, len(body)) + body + b"\0" * (len(body) % 2) for kind, body in kept.items()
    )
    return RIFF + struct.pack("<I", len(written) + 4) + b"WEBP" + written, "image/webp", width, height

"""The QR code of a charge, or a static one, as an image. Public: whoever knows its unguessable id may pay it."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from uuid import UUID

import segno
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from payments.api.fields import JAVASCRIPT_NOTHING, decoded
from payments.models import Charge, QrCode
from payments.selectors.ids import bare_id

MIN_SIZE, DEFAULT_SIZE, MAX_SIZE = 600, 1024, 4096  # pixels
WRONG_SIZE = f"size: must be from {MIN_SIZE} to {MAX_SIZE}"
QUIET_ZONE = 4  # modules of white around the code (ISO/IEC 18004)


@require_safe
def png_image(request: HttpRequest, payment_link_id: UUID) -> HttpResponse:
    """A PNG of `?size=` pixels a side."""
    size = _size(request)
    if size is None:
        return JsonResponse({"error": WRONG_SIZE}, status=400)
    code = _br_code(str(payment_link_id))
    return _image(png(code, size), "image/png") if code else _not_found()


@require_safe
def svg_image(request: HttpRequest, payment_link_id: UUID) -> HttpResponse:
    """An SVG."""
    code = _br_code(str(payment_link_id))
    if not code:
        return _not_found()
    out = io.BytesIO()
    segno.make_qr(code, error="m").save(out, kind="svg", border=QUIET_ZONE, omitsize=True, light="white")
    return _image(out.getvalue(), "image/svg+xml")


@require_safe
def base64_image(request: HttpRequest, identifier: str) -> HttpResponse:
    """A PNG as a data URL in JSON, by the payment link or the id of a charge or a static QR code."""
    size, code = _size(request), _br_code(decoded(identifier))
    if size is None or not code:
        problem = "QR code not found" if size else WRONG_SIZE
        return JsonResponse({"success": False, "error": problem}, status=400)
    data = base64.b64encode(png(code, size)).decode()
    return JsonResponse({"success": True, "imageBase64": f"data:image/png;base64,{data}"})


def png(text: str, size: int) -> bytes:
    """`text` as a QR code of exactly `size` pixels a side, one bit a pixel.

    segno scales by whole modules, so it cannot make an image of any given size; here the rest becomes margin.
    """
    modules = segno.make_qr(text, error="m").matrix
    scale = size // (len(modules) + 2 * QUIET_ZONE)
    margin = (size - scale * len(modules)) // 2
    width = (size + 7) // 8  # bytes of a row

    def row(bits: str) -> bytes:
        return b"\0" + int(bits.ljust(width * 8, "1"), 2).to_bytes(width, "big")  # filter 0, then the pixels

    white = row("1" * size)
    code = (row("1" * margin + "".join(("0" if dark else "1") * scale for dark in line)) * scale for line in modules)
    pixels = white * margin + b"".join(code) + white * (size - margin - scale * len(modules))
    header = struct.pack(">IIBBBBB", size, size, 1, 0, 0, 0, 0)  # one bit, greyscale
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(pixels)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _size(request: HttpRequest) -> int | None:
    """Pixels a side, or None where `?size=` is out of range. What JavaScript writes for nothing is no size."""
    size = request.GET.get("size", "undefined")
    if size in JAVASCRIPT_NOTHING:
        return DEFAULT_SIZE
    fits = size.isascii() and size.isdecimal() and len(size) < 5 and MIN_SIZE <= int(size) <= MAX_SIZE
    return int(size) if fits else None


def _br_code(identifier: str) -> str:
    """The code behind a payment link, or behind an id (plain or global); empty where there is none."""
    charges = Charge.objects.filter(registered_at__isnull=False, deleted_at=None)
    codes = QrCode.objects.filter(deleted_at=None)
    for kind, rows in (("Charge", charges), ("PixQrCode", codes)):
        try:
            by_id = Q(payment_link_id=UUID(identifier))
        except ValueError:
            by_id = Q(public_id=bare_id(kind, identifier))
        if code := rows.filter(by_id).values_list("br_code", flat=True).first():
            return code
    return ""


def _image(content: bytes, kind: str) -> HttpResponse:
    return HttpResponse(content, content_type=kind, headers={"Cache-Control": "public, max-age=86400, immutable"})


def _not_found() -> HttpResponse:
    return JsonResponse({"error": "QR code not found"}, status=404)

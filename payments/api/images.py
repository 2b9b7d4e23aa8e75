"""A charge's QR code as an image. Public: whoever knows the unguessable payment link may pay the charge."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from uuid import UUID

import segno
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from payments.models import Charge

MIN_SIZE, DEFAULT_SIZE, MAX_SIZE = 600, 1024, 4096  # pixels
QUIET_ZONE = 4  # modules of white around the code (ISO/IEC 18004)


@require_safe
def png_image(request: HttpRequest, payment_link_id: UUID) -> HttpResponse:
    """A PNG of `?size=` pixels a side."""
    size = request.GET.get("size", str(DEFAULT_SIZE))
    if not (size.isascii() and size.isdecimal() and len(size) < 5 and MIN_SIZE <= int(size) <= MAX_SIZE):
        return JsonResponse({"error": f"size: must be from {MIN_SIZE} to {MAX_SIZE}"}, status=400)
    code = _br_code(payment_link_id)
    return _image(png(code, int(size)), "image/png") if code else _not_found()


@require_safe
def svg_image(request: HttpRequest, payment_link_id: UUID) -> HttpResponse:
    """An SVG."""
    code = _br_code(payment_link_id)
    if not code:
        return _not_found()
    out = io.BytesIO()
    segno.make_qr(code, error="m").save(out, kind="svg", border=QUIET_ZONE, omitsize=True, light="white")
    return _image(out.getvalue(), "image/svg+xml")


@require_safe
def base64_image(request: HttpRequest, payment_link_id: UUID) -> HttpResponse:
    """A PNG as a data URL in JSON."""
    code = _br_code(payment_link_id)
    if not code:
        return JsonResponse({"success": False, "error": "QR code not found"}, status=400)
    data = base64.b64encode(png(code, DEFAULT_SIZE)).decode()
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


def _br_code(payment_link_id: UUID) -> str:
    charges = Charge.objects.filter(payment_link_id=payment_link_id, registered_at__isnull=False)
    return charges.values_list("br_code", flat=True).first() or ""


def _image(content: bytes, kind: str) -> HttpResponse:
    return HttpResponse(content, content_type=kind, headers={"Cache-Control": "public, max-age=86400, immutable"})


def _not_found() -> HttpResponse:
    return JsonResponse({"error": "QR code not found"}, status=404)

"""Sign webhooks: an RSA signature, verified with our public key, and an HMAC with the endpoint's secret."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
from typing import TypedDict, cast

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from django.conf import settings

from payments.models import WebhookEndpoint
from woovi import env


class PublicKey(TypedDict):
    """A key as `GET /webhook/public-keys` shows it."""

    key_identifier: str  # SHA-256 of the key's DER, in hex
    key: str  # PEM, SubjectPublicKeyInfo
    is_current: bool


def rsa_signature(body: bytes) -> str:
    """`x-webhook-signature`: base64 of RSA PKCS#1 v1.5 with SHA-256 over the raw body."""
    return base64.b64encode(_private_key(_pem()).sign(body, padding.PKCS1v15(), hashes.SHA256())).decode()


def hmac_signature(secret: str, body: bytes) -> str:
    """`X-OpenPix-Signature`: base64 of HMAC-SHA1 over the raw body. Deprecated, but some receivers check it."""
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha1)).decode()


def headers(endpoint: WebhookEndpoint, body: bytes) -> dict[str, str]:
    """The headers of every POST to the endpoint: both signatures of `body`, and the endpoint's authorization."""
    signed = {
        "x-webhook-signature": rsa_signature(body),
        "X-OpenPix-Signature": hmac_signature(endpoint.secret, body),
    }
    # Receivers written for Woovi read it under either name.
    authorization = {"Authorization": endpoint.authorization, "x-openpix-authorization": endpoint.authorization}
    return signed | (authorization if endpoint.authorization else {})


def public_keys() -> list[PublicKey]:
    """The keys with which receivers verify. They accept every listed key, so that keys can be rotated."""
    key = _private_key(_pem()).public_key()
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return [{"key_identifier": hashlib.sha256(der).hexdigest(), "key": pem.decode(), "is_current": True}]


def _pem() -> str:
    """The configured private key; in development, one that is generated once and kept in the data directory."""
    return settings.WEBHOOK_KEY or env.generated(settings.DATA_DIR / "webhook_key.pem", _new_pem)


def _new_pem() -> str:
    return (
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


@functools.lru_cache(maxsize=4)
def _private_key(pem: str) -> rsa.RSAPrivateKey:
    return cast(rsa.RSAPrivateKey, serialization.load_pem_private_key(pem.encode(), password=None))

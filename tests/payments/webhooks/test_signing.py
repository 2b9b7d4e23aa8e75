"""Signatures that receivers' libraries verify, with the contract's vectors."""

from __future__ import annotations

import base64
import hashlib

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from payments.services.webhooks.signing import hmac_signature, public_keys, rsa_signature


def test_public_key_verifies_and_is_named_by_its_digest() -> None:
    [listed] = public_keys()
    key = serialization.load_pem_public_key(listed["key"].encode())
    assert isinstance(key, rsa.RSAPublicKey)
    body = '{"évento":1}'.encode()
    key.verify(base64.b64decode(rsa_signature(body)), body, padding.PKCS1v15(), hashes.SHA256())
    der = base64.b64decode("".join(listed["key"].splitlines()[1:-1]))
    assert listed["key_identifier"] == hashlib.sha256(der).hexdigest()
    assert listed["is_current"]
    assert public_keys() == [listed], "the key made for development is kept"


def test_hmac_of_the_published_example() -> None:
    # The example's own value is wrong for its key; this is what its code computes.
    body = b'{"data_criacao":"2021-08-10T20:32:14.429Z","evento":"teste_webhook","event":"OPENPIX:CHARGE_COMPLETED"}'
    assert hmac_signature("hmac-secret-key", body) == "/ea7YAJjvmfnRfuV+Xzl/HE8QDw="

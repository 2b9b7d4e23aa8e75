from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.pix import ids
from payments.pix.ids import InvalidId

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(st.sampled_from(["E", "D"]), st.from_regex(r"[0-9A-Z]{8}", fullmatch=True), MOMENTS)
def test_what_is_minted_is_read(kind, ispb: str, now: datetime) -> None:  # type: ignore[no-untyped-def]
    text = ids.mint(kind, ispb, now)
    read = ids.parse(text)
    assert len(text) == 32
    assert (read.kind, read.ispb, read.at) == (kind, ispb, now.replace(second=0, microsecond=0))
    assert str(read) == text


def test_the_time_is_utc() -> None:
    brasilia = timezone(timedelta(hours=-3))
    assert ids.mint("E", "54811417", datetime(2026, 1, 31, 22, 5, tzinfo=brasilia))[9:21] == "202602010105"


@given(st.text())
def test_parse_survives_any_text(text: str) -> None:
    with suppress(InvalidId):
        assert str(ids.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "E54811417202613010000abcdefghijk", "F54811417202601010000abcdefghijk", "E54811417202601010000abcdefghij-",
     "E54811417202601010000abcdefghijk\n", "E5481141720260101000٠abcdefghijk"],
)  # fmt: skip
def test_no_end_to_end_ids(text: str) -> None:
    with pytest.raises(InvalidId):
        ids.parse(text)


def test_minting_wants_a_bank() -> None:
    with pytest.raises(InvalidId):
        ids.mint("E", "123")


def test_txids() -> None:
    assert ids.is_txid(ids.new_txid())
    assert ids.new_txid() != ids.new_txid()
    assert not ids.is_txid("a" * 25)
    assert not ids.is_txid("a" * 36)
    assert not ids.is_txid("a" * 30 + "-")
    assert ids.is_static_txid("a")
    assert not ids.is_static_txid("")
    assert not ids.is_static_txid("a" * 26)
    assert ids.is_return_id("a" * 35)
    assert not ids.is_return_id("a\n")

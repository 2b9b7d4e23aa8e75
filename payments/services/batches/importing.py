"""Read a file into a batch: every row checked, in bounded memory, and every problem reported before anything is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import BinaryIO

from django.db import connection, transaction

from payments.models import Company, PayoutBatch, User
from payments.services import references, transfer_limits
from payments.services.batches.columns import TITLES, Columns, Problem, Row
from payments.services.batches.tables import read_csv
from payments.services.batches.xlsx import is_xlsx, read_xlsx
from payments.services.errors import Invalid

MAX_ROWS = 1_000_000
CHUNK = 1_000  # rows that one worker pays at a time
BLOCK = 5_000  # rows and problems written at once
Status = PayoutBatch.Status


def upload(company: Company, maker: User, name: str, file: BinaryIO, *, keep: bool = True) -> PayoutBatch:
    """Read a CSV or XLSX file. The batch is VALIDATED, or a DRAFT with `problems` where a row cannot be paid.

    All or nothing is written: one transaction, whose rows nobody sees before its end.

    Args:
        keep: without it the file is only checked.

    Raises:
        Invalid: the file as a whole cannot be read, or has no rows or too many.
    """
    with transaction.atomic():
        batch = PayoutBatch.objects.create(company=company, maker=maker, name=name[:200])
        loader = _Loader(batch)
        is_csv = not is_xlsx(file)
        with closing(read_csv(file) if is_csv else read_xlsx(file)) as cells:
            loader.load(cells, by_lines=is_csv)
        references.decide_alone(company.pk)
        references.report_used(batch, TITLES["reference"])
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(DISTINCT line) FROM payments_payoutproblem WHERE batch_id = %s", [batch.pk])
            batch.problems = cursor.fetchone()[0]
        batch.rows, batch.total, batch.signature = loader.rows, loader.total, loader.signature.hexdigest()
        batch.status = Status.DRAFT if batch.problems else Status.VALIDATED
        batch.save()
        if not keep:
            batch.first_problems  # noqa: B018 (read while they are there)
            transaction.set_rollback(True)
        return batch


def digest_of(rows: Iterable[Row]) -> str:
    """The SHA-256, in hex, of rows in their canonical text."""
    made = hashlib.sha256()
    for row in rows:
        made.update(f"{row.line}\t{row.reference}\t{row.pix_key}\t{row.value}\t{row.comment}\n".encode())
    return made.hexdigest()


class _Loader:
    """Writes rows, problems and chunks by COPY, some thousand at a time. `signature` is the digest of the chunks' digests."""

    def __init__(self, batch: PayoutBatch) -> None:
        self.batch = batch
        self.rows = self.total = self.chunks = 0
        self.signature = hashlib.sha256()

    def load(self, cells: Iterator[tuple[int, list[str] | Problem]], *, by_lines: bool) -> None:
        header = next(cells, (0, []))[1]
        if isinstance(header, Problem):
            raise Invalid("The file's first row is hidden", "file")
        columns = Columns(header, by_lines=by_lines, most=transfer_limits.of_one_payment(self.batch.company_id))
        rows: list[Row] = []
        problems: list[Problem] = []
        for line, texts in cells:
            read = [texts] if isinstance(texts, Problem) else columns.read(line, texts)
            if isinstance(read, Row):
                rows.append(read)
                self.total += read.value
            else:
                problems += read
            if len(rows) == BLOCK or len(problems) >= BLOCK:
                self._write(rows, problems)
                rows, problems = [], []
        self._write(rows, problems)
        if not self.rows and not self._any_problem():
            raise Invalid("The file has no rows", "file")
        self.signature.update(f"{self.rows} {self.total}".encode())

    def _write(self, rows: list[Row], problems: list[Problem]) -> None:
        self.rows += len(rows)
        if self.rows > MAX_ROWS:
            raise Invalid(f"The file has more than {MAX_ROWS} rows", "file")
        copy("payments_payoutrow (batch_id, line, reference, pix_key, value, comment)", self.batch.pk, rows)
        copy('payments_payoutproblem (batch_id, line, "column", reason)', self.batch.pk, problems)
        chunks = [rows[at : at + CHUNK] for at in range(0, len(rows), CHUNK)]
        described = []
        for chunk in chunks:
            self.chunks += 1
            digest = digest_of(chunk)
            self.signature.update(digest.encode())
            described.append((self.chunks, chunk[0].line, chunk[-1].line, digest, "f", 0, 0))
        columns = "number, first_line, last_line, digest, is_done, attempts, at_line_attempts"
        copy(f"payments_payoutchunk (batch_id, {columns})", self.batch.pk, described)

    def _any_problem(self) -> bool:
        return self.batch.found.exists()


def copy(table: str, batch_id: int, rows: Iterable[tuple[object, ...]]) -> None:
    """COPY rows, each after the batch's id, into `table (columns)`."""
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as target:
        for row in rows:
            target.write_row((batch_id, *row))

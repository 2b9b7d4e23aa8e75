"""What can be done: each mutation calls the service that the REST API or the page calls, with the same checks.

Charges and refunds are made by programs and people. Payments are made by programs alone; batches are uploaded and controlled
by people alone, because another person than who uploaded a batch approves it.

Each may be null. If one of a document is refused, the others are done, and the answer must tell of them: an error in a field that may
not be null makes all of `data` null (GraphQL, October 2021, §6.4.4).
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Annotated, Any

import strawberry

from payments import models
from payments.api.charges import ChargeBody, RefundBody
from payments.api.charges import order as charge_order
from payments.api.payments import ApproveBody, PaymentBody
from payments.api.payments import order as payment_order
from payments.graphql.batches import Batch
from payments.graphql.charges import Charge, Refund
from payments.graphql.context import Context, Info
from payments.graphql.inputs import ChargeInput, PaymentInput, RefundInput, body
from payments.graphql.payments import Payment
from payments.graphql.queries import charge_of
from payments.graphql.scalars import Centavos, File
from payments.rights import APPROVE, CHARGE, PAY, RIGHTS
from payments.selectors import batches as found_batches
from payments.services import batches, charges, payments, second_factor
from payments.services.charges import refunds
from payments.services.errors import Forbidden, Invalid, NotFound
from woovi.ratelimit.login import CODE, attempt

CorrelationID = Annotated[str, strawberry.argument(name="correlationID")]


@strawberry.type
class Mutation:
    """The roots of mutations."""

    @strawberry.mutation(
        graphql_type=Charge | None, description="A used correlationID is refused, or answered with its charge."
    )
    async def create_charge(self, info: Info, input: ChargeInput, return_existing: bool = False) -> Any:  # noqa: A002
        _may(info, CHARGE)
        order = charge_order(body(ChargeBody, input))
        return await _done(info, lambda to: charges.create(to.company, order, return_existing=return_existing))

    @strawberry.mutation(
        graphql_type=Refund | None, description="The same correlationID and values give the first refund again."
    )
    async def refund_charge(self, info: Info, input: RefundInput) -> Any:  # noqa: A002
        _may(info, CHARGE)
        wanted = body(RefundBody, input)

        def act(to: Context) -> models.Refund:
            charge = charge_of(to.company, input.charge)
            if charge is None:
                raise NotFound("Charge not found", "charge")
            asked = charge, wanted.correlationID, wanted.value, wanted.comment or ""
            return refunds.request(to.company, *asked, maker=to.user)

        return await _done(info, act)

    @strawberry.mutation(graphql_type=Payment | None, description="It waits for its approval. Programs alone.")
    async def create_payment(self, info: Info, input: PaymentInput) -> Any:  # noqa: A002
        _by_program(info)
        order = payment_order(body(PaymentBody, input))
        return await _done(info, lambda to: payments.create(to.company, order))

    @strawberry.mutation(
        graphql_type=Payment | None, description="Hold the payment's value and send it. Programs alone."
    )
    async def approve_payment(self, info: Info, correlation_id: CorrelationID) -> Any:
        _by_program(info)
        wanted = body(ApproveBody, {"correlationID": correlation_id})
        return await _done(info, lambda to: payments.approve(to.company, wanted.correlationID))

    @strawberry.mutation(
        graphql_type=Batch | None,
        description="A CSV or XLSX file, which is read and checked; nothing is sent. People alone.",
    )
    async def upload_batch(self, info: Info, name: str, file: File) -> Any:
        person = _by_person(info, PAY)
        return await _done(info, lambda to: batches.upload(to.company, person, name, BytesIO(file)))

    @strawberry.mutation(
        graphql_type=Batch | None, description="Ask for the approval of a batch without problems. People alone."
    )
    async def submit_batch(self, info: Info, id: strawberry.ID) -> Any:  # noqa: A002
        _by_person(info, PAY)
        return await _to_batch(info, id, batches.submit)

    @strawberry.mutation(
        graphql_type=Batch | None,
        description="By another person than who uploaded it, with the signature that was shown and a code of the second factor.",
    )
    async def approve_batch(self, info: Info, id: strawberry.ID, signature: str, code: str) -> Any:  # noqa: A002
        person = _by_person(info, APPROVE)

        def act(batch: models.PayoutBatch) -> models.PayoutBatch:
            _prove(info.context, person, code)
            return batches.approve(batch, person, signature)

        return await _to_batch(info, id, act)

    @strawberry.mutation(
        graphql_type=Batch | None,
        description="Pay the failed rows again: `progress.failed` and `failedTotal`, as they were shown.",
    )
    async def retry_batch(self, info: Info, id: strawberry.ID, count: int, total: Centavos) -> Any:  # noqa: A002
        _by_person(info, PAY)
        return await _to_batch(info, id, lambda batch: batches.retry(batch, count, total))

    @strawberry.mutation(graphql_type=Batch | None, description="Send no further row. People alone.")
    async def pause_batch(self, info: Info, id: strawberry.ID) -> Any:  # noqa: A002
        _by_person(info, PAY)
        return await _to_batch(info, id, batches.pause)

    @strawberry.mutation(graphql_type=Batch | None, description="Go on with a paused batch. People alone.")
    async def resume_batch(self, info: Info, id: strawberry.ID) -> Any:  # noqa: A002
        _by_person(info, PAY)
        return await _to_batch(info, id, batches.resume)

    @strawberry.mutation(graphql_type=Batch | None, description="Give up the rows that were not sent. People alone.")
    async def cancel_batch(self, info: Info, id: strawberry.ID) -> Any:  # noqa: A002
        _by_person(info, PAY)
        return await _to_batch(info, id, batches.cancel)


async def _done(info: Info, act: Callable[[Context], Any]) -> Any:
    done = await info.context.run(act, info.context)
    info.context.forget()
    return done


async def _to_batch(info: Info, identifier: str, act: Callable[[models.PayoutBatch], models.PayoutBatch]) -> Any:
    def found(to: Context) -> models.PayoutBatch:
        batch = found_batches.find(to.company, identifier)
        if batch is None:
            raise NotFound("Batch not found", "id")
        return act(batch)

    return await _done(info, found)


def _by_program(info: Info) -> None:
    if info.context.user is not None:
        raise Forbidden("Payments are made with an AppID")


def _by_person(info: Info, right: str) -> models.User:
    if info.context.user is None:
        raise Forbidden("Batches are controlled by a person who has logged in")
    _may(info, right)
    return info.context.user


def _prove(to: Context, person: models.User, code: str) -> None:
    """Raise Forbidden for a person without a second factor, Invalid for a wrong code, RateLimited for too many of these."""
    if not second_factor.is_on(person):
        raise Forbidden("Switch on your second factor first: who approves a batch proves it with a code")
    with attempt(to.request, person.email, CODE) as tried:
        if right := second_factor.check(person, code):
            tried.succeeded()
    if not right:
        raise Invalid("This code is wrong, or was used before", "code")


def _may(info: Info, right: str) -> None:
    """Raise Forbidden for a person whose role has not this right of RIGHTS."""
    if info.context.user is not None and right not in RIGHTS[info.context.user.role]:
        raise Forbidden("Your role may not do this")

#!/usr/bin/env bash
# The guess: of three payments in one GraphQL mutation of which the second is refused, the answer names the first with
#   its id, and says of the second why.
# What happens: a resolver `-> Payment` is `Payment!` in Strawberry's schema, and an error in a field that may not be null
#   makes everything above it null: `data` is null as a whole, the only error is the second's, and of the first, which
#   was sent, the answer says nothing. What becomes of the third depends on the type alone: it is not sent, and with
#   `-> Payment | None` it is, and all three are told.
# Versions: strawberry-graphql 0.341.2, graphql-core 3.3.2, Python 3.11.
# Why it matters: "data is null and there are errors" is what clients take for "nothing was done", and send all three again
#   once the second is mended; the id that would have stopped the first is in no answer. The default type of the most
#   obvious resolver decides it, and tests with one field a mutation never show it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/python -m pip install -q --disable-pip-version-check strawberry-graphql==0.341.2 graphql-core==3.3.2 2>/dev/null

env/bin/python - <<'PY'
import asyncio
import logging

import strawberry

logging.disable()  # the refusal's traceback
sent = []


@strawberry.type
class Payment:
    id: str


@strawberry.type
class Query:
    ok: bool = True


async def pay(to: str) -> Payment:
    if to == "closed":
        raise ValueError("this account is closed")
    sent.append(to)
    return Payment(id=f"E{len(sent)}")


async def pay_or_null(to: str) -> Payment | None:
    return await pay(to)


def carried_out(resolver):
    """The answer to three payments, and who was paid."""
    sent.clear()
    mutation = strawberry.type(type("Mutation", (), {"pay": strawberry.mutation(resolver)}))
    schema = strawberry.Schema(Query, mutation=mutation)
    document = """mutation {
        first: pay(to: "ana") { id }
        second: pay(to: "closed") { id }
        third: pay(to: "caio") { id }
    }"""
    answer = asyncio.run(schema.execute(document))
    return answer.data, [(error.path, error.message) for error in answer.errors], list(sent)


errors = [(["second"], "this account is closed")]
for resolver, written in ((pay, "Payment"), (pay_or_null, "Payment | None")):
    data, said, paid = carried_out(resolver)
    print(f"-> {written}: data {data}, errors {said}; paid were {paid}")
    assert said == errors
    if resolver is pay:
        assert (data, paid) == (None, ["ana"])
    else:
        assert (data, paid) == ({"first": {"id": "E1"}, "second": None, "third": {"id": "E2"}}, ["ana", "caio"])
PY

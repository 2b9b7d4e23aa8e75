"""GraphQL: what the merchant's pages show, and what they and the API do. Each field calls a selector or a service.

    schema.py       the schema; schema.graphql is its text, for clients
    queries.py      mutations.py  subscriptions.py: the roots
    charges.py      transactions.py  accounts.py  payments.py  batches.py: the types. Their source is the model's row
    loaders.py      rows of many parents by one statement
    execution.py    a document is parsed, measured, paid for and run
    documents/      the documents that production knows

A company is the context's, from the AppID or the session; no argument names one. docs/graphql.md
"""

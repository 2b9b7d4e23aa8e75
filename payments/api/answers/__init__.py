"""The API's answers, as the documentation describes them.

TypedDicts, not models: a field that may be absent on the wire is NotRequired, never null.
"""

from payments.api.answers.accounts import *
from payments.api.answers.applications import *
from payments.api.answers.charges import *
from payments.api.answers.parts import *
from payments.api.answers.payments import *
from payments.api.answers.pix_keys import *
from payments.api.answers.qr_codes import *
from payments.api.answers.subaccounts import *
from payments.api.answers.transactions import *
from payments.api.answers.webhooks import *

"""Translate the refusals of services for the pages.

Services refuse in English, with the API's field names and centavos. Pages show another sentence instead, found by the
beginning of the service's message.
"""

from __future__ import annotations

import re

from django.utils.translation import gettext_lazy as _

from payments.money import format_reais
from payments.services.errors import ServiceError, Unavailable

# The pattern of a service's message, and the sentence for pages. Named groups are filled in, centavos as reais.
REFUSALS = [
    ("The charge is not paid", _("This charge is not paid.")),
    ("The charge is paid$", _("This charge is paid already.")),
    ("The charge is not active", _("This charge cannot be changed any more.")),
    ("Another change of this charge is under way", _("Another change of this charge is under way. Send it again.")),
    ("The charge was paid more than 90 days ago", _("This charge was paid more than 90 days ago.")),
    ("Only a merchant's own balance is adjusted", _("Only a merchant's own balance is adjusted.")),
    ("Nothing of this Pix is left to return: it is the merchant's", _("Nothing of this Pix is left to return: it is the merchant's.")),
    (r"The limit would make no sense: (?P<why>.+)", _("The limit would make no sense: %(why)s")),
    ("value is more than the balance has available", _("Your balance is lower than this value.")),
    (
        r"value must be from 1 to what is left of the charge, (?P<left>\d+) centavos",
        _("Of this charge only %(left)s are left."),
    ),
    ("There is already a refund with this correlationID", _("This form was sent before with other values.")),
    ("Other refunds of this charge are under way", _("Another return of this charge is under way. Send it again.")),
    (
        r"logo must be a PNG, JPEG or WebP of at most (?P<size>\d+) KB and (?P<least>\d+) to (?P<most>\d+) pixels",
        _("This is no PNG, JPEG or WebP of at most %(size)s KB whose sides have %(least)s to %(most)s pixels."),
    ),
    ("taxID: ", _("This is not a valid CPF or CNPJ.")),
    ("a customer needs a taxID", _("A customer needs a CPF or CNPJ, an e-mail or a phone.")),
    ("Not enough balance", _("Your balance is lower than this value.")),
    ("Account does not have enough balance", _("There is less than this value.")),
    ("Transfer just work with subaccount with balance", _("There is less than this value.")),
    ("There is already another movement with this", _("This form was sent before with other values.")),
    ("Somebody else is at this subaccount", _("Another process works on this sub-account. Send it again.")),
    ("Withdraw blocked: the pix key", _("Withdrawals are blocked: nobody has this key, or its account is suspected of fraud. Talk to us.")),
    ("Only subaccount without balance", _("Its money has changed meanwhile: look again.")),
    ("Subaccount not found", _("This sub-account is not there any more.")),
    ("The application was changed since it was shown", _("The AppID was changed since it was shown. Look at it again.")),
    ("Only another person than who asked", _("Another person than who asked for it has to approve it.")),
    ("Another company has this Pix key", _("Another company has this Pix key.")),
    ("pixKey is the key of the account itself", _("This is your own key.")),
    ("There is already another customer with this", _("There is another customer with this CPF or CNPJ.")),
    (
        r"splits must be at most (?P<left>\d+) centavos in all",
        _("The parts are more than %(left)s in all, which is the value less the fee."),
    ),
    ("value must be more than the fee", _("The value must be more than the fee.")),
    ("customer.taxID", _("This is not a valid CPF or CNPJ.")),
    ("There is .*charge .*with this correlationID", _("This form was sent before with other values. Open a new form for a new charge.")),
    (r"The bank refused the charge: (?P<code>.+)", _("The bank refused the charge (%(code)s).")),
    ("The bank did not answer", _("The bank does not answer. Nothing is lost: send again, it stays one charge.")),
    ("The charge was given up meanwhile", _("The charge was given up meanwhile. Send it again.")),
    ("the webhook is inactive or deleted", _("The webhook was deleted or switched off: nothing was sent.")),
    (r"url did not accept the test request: (?P<why>.+)", _("The address did not accept the test call: %(why)s.")),
    (r"url cannot be called: (?P<why>.+)", _("This address cannot be called: %(why)s.")),
    (r"url must have at most (?P<most>\d+)", _("The address may have at most %(most)s characters.")),
    (r"webhook: a company may have at most (?P<most>\d+)", _("A company may have at most %(most)s webhooks: delete one first.")),
    ("name must have 1 to 100", _("The name must have 1 to 100 characters that can be printed.")),
    ("authorization must have", _("The header must have at most 500 characters of ASCII.")),
    ("the delivery is not finished", _("It is under way already: nothing was sent.")),
    (r"\w+ must be from (?P<lowest>\d+) to (?P<highest>\d+)", _("It must be from %(lowest)s to %(highest)s.")),
    ("fee_minimum must not be above fee_maximum", _("The lowest fee must not be above the highest.")),
    ("Only a day that is over can be compared", _("Only a day that is over can be compared.")),
    ("This difference is not open any more", _("This difference is not open any more.")),
    ("The cursor can be set back only, by at most 90 days", _("It can only be set back, by at most 90 days.")),
    ("The bank does not contradict this refund", _("The bank does not contradict this refund.")),
    ("Somebody else is at this refund", _("Another process works on this refund. Try again.")),
    ("The charge would have more returned than was paid", _("More would be returned of the charge than was paid.")),
    ("The bank does not find its own return", _("The bank does not find its own return: ask it.")),
    ("The bank does not answer", _("The bank does not answer. Nothing was changed.")),
    ("The return is still under way at the bank", _("The return is still under way at the bank.")),
    ("This refund was corrected once before", _("This refund was corrected before, and the bank says otherwise again: ask it.")),
    (r"value is more than the limit of one payment, (?P<left>\d+) centavos", _("One payment may be of %(left)s at most.")),
    (
        r"value is more than is left of the limit at this time of day, (?P<left>\d+) centavos",
        _("Of the limit at this time of day only %(left)s are left."),
    ),
    (
        r"The value of line (?P<line>\d+) is more than the limit of one payment, (?P<left>\d+) centavos",
        _("The value of line %(line)s is above the limit of one payment, %(left)s."),
    ),
    ("The bank does not contradict this payment", _("The bank does not contradict this payment.")),
    ("The payment is still under way at the bank", _("The payment is still under way at the bank.")),
    ("The bank has another value for this payment", _("The bank has another value for this payment: ask it.")),
    ("This payment was corrected once before", _("This payment was corrected before, and the bank says otherwise again: ask it.")),
    ("The row of this payment was sent again", _("This row was sent again in a later round: the bank must say which of them it has paid.")),
    ("The row of this payment is paid by another payment", _("This row is paid by another payment already: the bank has paid it twice.")),
    ("You do not have enough balance", _("The balance is lower than this payment.")),
    ("Payment already confirmed", _("This payment was approved already.")),
    ("Payment denied", _("This payment was denied.")),
    ("Payment not found", _("This payment is not there any more.")),
    ("Somebody else is at this payment", _("Another process works on this payment. Try again.")),
    (r"A company may have at most (?P<most>\d+) people", _("A company may have at most %(most)s people.")),
    ("Somebody has this e-mail already", _("Somebody has this e-mail already: it cannot be invited.")),
    ("This person needs no invitation", _("This person needs no invitation.")),
    ("A company needs an active owner", _("Somebody must stay the owner: make another person an owner first.")),
    ("Who made a payment does not approve it", _("Who made a payment does not approve it.")),
    ("destinationAlias is the company's own key", _("This is your own key.")),
    (r"\w+ is not a Pix key", _("This is not a Pix key.")),
    ("Já existe um pagamento", _("This form has already made a payment.")),
    ("You tried to consult many", _("Too many keys were looked up that do not exist. Wait a little.")),
    ("Who uploaded a batch does not approve it", _("Who uploaded a batch does not approve it.")),
    ("The approver is of another company", _("Only people of the company approve.")),
    ("The batch is not the one that was shown", _("The batch was changed since it was shown. Look at it again.")),
    (
        r"Another payment or batch uses a reference of the batch by now: that of line (?P<line>\d+)",
        _("The id of line %(line)s is used by another payment or batch by now. Cancel the batch and upload a corrected file."),
    ),
    (r"Line (?P<line>\d+) cannot be read", _("Line %(line)s cannot be read: a quote before it is left open.")),
    (r"Line (?P<line>\d+) and what its quotes hold", _("Line %(line)s is too long: a quote may be left open.")),
    ("The file's first row is hidden", _("The first row, with the columns' names, is hidden.")),
    ("The file's first row holds a line break", _("The first row, with the columns' names, holds a line break.")),
    (r"Row (?P<row>\d+) has more than (?P<most>\d+) cells", _("Row %(row)s has more than %(most)s cells.")),
    (r"Row (?P<row>\d+) has its cells in no order", _("The cells of row %(row)s are in no order.")),
    (r"The row after row (?P<row>\d+) is not numbered", _("The row after row %(row)s has a wrong number.")),
    (r"A cell has more than (?P<most>\d+) characters", _("A cell has more than %(most)s characters.")),
    ("The file is too large once unpacked", _("The file is too large, or damaged.")),
    (r"The column (?P<column>.+) is hidden", _("The column %(column)s is hidden: show it, so that everybody sees what is paid.")),
    (r"The file has two columns for (?P<column>\w+)", _("The file has two columns for %(column)s.")),
    (r"The file's first row has no column (?P<columns>.+)", _("The file's first row has no column %(columns)s.")),
    ("The file has no rows", _("The file has no rows.")),
    (r"The file has more than (?P<most>\d+) rows", _("The file has more than %(most)s rows.")),
    (r"The file has more than (?P<most>\d+) texts", _("The file is too large, or damaged.")),
    ("The file cannot be read", _("The file cannot be read: it may be damaged.")),
    ("The file has no visible sheet", _("The file has no visible sheet.")),
    ("The file is no spreadsheet", _("The file is no spreadsheet.")),
    (r"The batch is \w+$", _("The batch is not in a state for this.")),
    ("The balance does not cover the batch", _("The balance does not cover the batch.")),
    ("The failed rows are not those that were shown", _("Other rows have failed by now. Look at them again.")),
    ("No row has failed", _("No row has failed.")),
    ("The end of some rows", _("The end of some rows is not known: ask the bank about them first.")),
    ("Only a payment in quarantine can be given up", _("Only a payment in quarantine can be given up.")),
    ("The bank has this payment", _("The bank has this payment: ask it.")),
    ("The bank may still carry this payment out", _("The bank may still carry this payment out. Try again in a minute.")),
    ("This Pix is resolved already", _("This Pix is resolved already.")),
    ("Only a refused return out of suspense can be tried again", _("Only a refused return out of suspense can be tried again.")),
    ("Nothing of this Pix is left to return", _("Nothing of this Pix is left to return.")),
    (
        r"(?P<needed>\d+) tokens for look-ups of Pix keys are needed, (?P<there>\d+) are there, all at (?P<at>.+)",
        _("Look-ups of Pix keys need %(needed)s tokens: %(there)s are there, and all of them at %(at)s. Try again then."),
    ),
    ("Pix key not found", _("Nobody has this Pix key.")),
    ("Pix key related to an account suspected of fraud", _("This key's account is suspected of fraud.")),
    ("Error verifying pix key", _("The bank does not tell whose key this is.")),
    ("pixKey: ", _("This is not a Pix key.")),
    ("Suspense does not have this value any more", _("Suspense does not have this value any more.")),
    ("The code is wrong", _("This code is wrong, or was used before.")),
    ("Only superusers may change another operator", _("Only superusers may change another operator.")),
    (r"(?P<text>.+) is not an IP address or network", _("%(text)s is not an address or a network.")),
    ("allowed_ips may hold", _("These are too many addresses.")),
    ("The second factor is off already", _("The second factor is off already.")),
    ("The second factor is on already", _("The second factor is on already.")),
    (r"\w+ are switched off for now", _("The operators have switched this off for everybody, for now.")),
    ("The company's payments are frozen", _("The operators have frozen payments of this company.")),
    ("The company's refunds are frozen", _("The operators have frozen refunds of this company.")),
    ("The company's charges are frozen", _("The operators have frozen new charges of this company.")),
    ("Who proposed it does not approve it", _("Who proposed it does not approve it.")),
    ("Who proposed it has no longer the right for this", _("Who proposed it has no longer the right for this: propose it anew.")),
    ("It was decided already", _("It was decided already.")),
    (
        "It may have been done before its process died",
        _("It may have been done by a process that died: look before you propose it again."),
    ),
    ("It has changed since it was proposed", _("It has changed since it was proposed: nothing was done.")),
    ("There is an open proposal of this already", _("There is an open proposal of this already.")),
    ("You have not the right for this", _("You have not the right for this.")),
]  # fmt: skip


# Why a webhook's address cannot be called or did not accept a call, as `woovi.http` says it, and the words for pages.
CALLS = [
    ("its host has no address", _("its host has no address")),
    ("its host is not on the public internet", _("its host is not on the public internet")),
    ("not an http|not a URL", _("it is no http or https address")),
    ("a URL is no place for a password", _("an address is no place for a password")),
    (r"\w+Timeout", _("it did not answer in time")),
    (".*Connection refused", _("nothing answers there")),
]


def translated(error: ServiceError) -> str:
    """The refusal in the reader's language. A message without a sentence here is shown as it is."""
    for pattern, words in REFUSALS:
        if match := re.match(pattern, error.message):
            parts = match.groupdict()
            if "left" in parts:
                parts["left"] = format_reais(int(parts["left"]))
            if why := parts.get("why"):
                parts["why"] = next((str(said) for start, said in CALLS if re.match(start, why)), why)
            return str(words) % parts
    if isinstance(error, Unavailable):
        return str(_("It cannot be done just now. Try again in a moment."))
    return str(_("It was refused: %(message)s")) % {"message": error.message}

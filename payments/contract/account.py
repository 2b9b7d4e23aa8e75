"""A company and its accounts."""

from __future__ import annotations

from payments.contract.parts import Json
from payments.models import Account, Company
from payments.models.transfer_period import DAY_STARTS, NIGHT_STARTS
from payments.selectors.balances import Balance

BRANCH = "0001"  # the only one


def company(company: Company) -> Json:
    """The company as `GET /company` shows it."""
    return {
        "officialName": company.official_name,
        "tradeName": company.trade_name,
        "taxID": company.tax_id,
        "correlationID": str(company.correlation_id),
    }


def limits(company: Company) -> Json:
    """The company's limits as `GET /limits` shows them; empty where it has none. All its accounts share them."""
    named = {
        "pixPaymentLimit": company.payment_limit,
        "pixDayLimit": company.day_limit,
        "pixNightLimit": company.night_limit,
        "pixOutSameHolderDayLimit": company.day_limit,
        "pixOutDifferentHolderDayLimit": company.day_limit,
        "pixOutSameHolderNightLimit": company.night_limit,
        "pixOutDifferentHolderNightLimit": company.night_limit,
    }
    found: Json = {name: value for name, value in named.items() if value is not None}
    if found:
        found |= {"dayStartAt": f"{DAY_STARTS:%H:%M}", "nightStartAt": f"{NIGHT_STARTS:%H:%M}"}
    return found


def account(account: Account, company: Company, balance: Balance) -> Json:
    """An account with its balance in centavos. The account number is made of its id; no bank knows it."""
    return {
        "accountId": account.public_id,
        "isDefault": account.is_default,
        "balance": {
            "total": balance.total + balance.earmarked,
            "blocked": balance.pending + balance.earmarked,
            "available": balance.available,
            "blockedBySecurity": 0,
            "blockedByWithdrawSafety": 0,
        },
        "taxId": company.tax_id,
        "officialName": company.official_name,
        "tradeName": company.trade_name,
        "branch": BRANCH,
        "account": f"{int(account.public_id, 16) % 10**10:010d}",
        "accountName": account.name or company.trade_name,
    }

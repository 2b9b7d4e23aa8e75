"""What a person of a company may do, by role. Everybody of the company may look."""

from __future__ import annotations

from payments.models import User

CHARGE, PAY, APPROVE, MANAGE = "charge", "pay", "approve", "manage"
Role = User.Role
# Nobody approves what they made themselves, whatever their role.
RIGHTS: dict[str, frozenset[str]] = {
    Role.OWNER: frozenset({CHARGE, PAY, APPROVE, MANAGE}),
    Role.FINANCE: frozenset({CHARGE, PAY}),  # charges and refunds; payments and batches to be approved
    Role.APPROVER: frozenset({APPROVE}),
    Role.VIEWER: frozenset(),
}

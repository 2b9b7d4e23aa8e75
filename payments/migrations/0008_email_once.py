"""An e-mail is one person's, whatever the case of its letters."""

from django.db import migrations, models
from django.db.models.functions import Lower


class TwoOfOne(Exception):
    """People share an e-mail but for its case. Which of them is right, nobody but the operator knows."""


def look_for_duplicates(apps, schema_editor):
    users = apps.get_model("payments", "User").objects.using(schema_editor.connection.alias)
    people: dict[str, list[int]] = {}
    for pk, email in users.order_by("pk").annotate(lowered=Lower("email")).values_list("pk", "lowered"):
        people.setdefault(email, []).append(pk)
    shared = [pks for pks in people.values() if len(pks) > 1]
    if shared:
        groups = "; ".join(" and ".join(map(str, pks)) for pks in shared)
        raise TwoOfOne(
            f"These users share an e-mail but for the case of its letters (by id): {groups}. Nothing was changed. "
            "In the admin, or with `manage.py shell`, give all but one of each another e-mail, then migrate again."
        )


class Migration(migrations.Migration):
    dependencies = [("payments", "0007_bank_returns")]

    operations = [
        migrations.RunPython(look_for_duplicates, migrations.RunPython.noop, elidable=True),
        migrations.AddConstraint(
            "user",
            models.UniqueConstraint(
                Lower("email"),
                name="user_email_once",
                violation_error_message="Somebody has this e-mail already, perhaps in other letters' case.",
            ),
        ),
    ]

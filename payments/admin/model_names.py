"""Apps, models, their fields and their choices in the reader's language, for the admin.

Django derives English names from the code (`created_at` is "created at"). A `verbose_name` for each field would repeat them
and make a migration of every change of wording, so the names are translated here, once the admin has all its pages.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

APPS = {"payments", "outbox", "queue", "ratelimit"}
sources: set[str] = set()  # every English text that is translated here


def translate() -> None:
    """Make the names of all apps, models and fields lazy translations."""
    for label in APPS:
        app = apps.get_app_config(label)
        app.verbose_name = _lazy(app.verbose_name)
    for model in apps.get_models():
        if model._meta.app_label in APPS and not model._meta.proxy:  # whose fields are another package's
            _translate(model._meta)


def _translate(meta: Any) -> None:
    if not isinstance(meta.verbose_name, Promise):  # Django's default plural is lazy too
        meta.verbose_name, meta.verbose_name_plural = _lazy(meta.verbose_name), _lazy(str(meta.verbose_name_plural))
    for field in meta.fields:
        field.verbose_name = _lazy(field.verbose_name)
        if field.choices:
            field.choices = [(value, _lazy(label)) for value, label in field.choices]


def _lazy(text: Any) -> Any:
    if isinstance(text, Promise):  # Django's own texts, and texts that are translated already
        return text
    sources.add(str(text))
    return gettext_lazy(str(text))

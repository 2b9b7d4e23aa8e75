"""Caches: hits, load times, the state of their Redis; and forms that drop entries."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from redis.exceptions import RedisError

from payments import bank
from payments.admin.records import Record
from payments.models import Cache
from payments.selectors import bank_reads, overview  # noqa: F401 (declare caches)
from payments.services import pix_keys  # noqa: F401 (declares one)
from woovi import redis
from woovi.cache import ReadThroughCache, VersionedCache, metrics, readthrough, versioned

AnyCache = ReadThroughCache | VersionedCache
NO_FIGURES: dict[str, Any] = {}


@admin.register(Cache)
class CacheAdmin(Record):
    """Counts are of all processes in this hour and the last; breakers are of this process."""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = [(cache, figures(cache)) for cache in known().values()]
        return self._page(request, "payments_admin/caches.html", str(_("Caches")), rows=rows)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        cache = known().get(object_id)
        if not self.has_view_permission(request):
            raise PermissionDenied
        if cache is None:
            raise Http404
        may_drop = request.user.has_perm("payments.change_cache")
        drops = [kind(request.POST or None, cache=cache) for kind in DROPS if kind.fits(cache)]
        if request.method == "POST":
            if not may_drop:
                raise PermissionDenied
            wanted = next((each for each in drops if each.name == request.POST.get("drop")), None)
            if wanted and wanted.is_valid():
                return self._drop(request, cache, wanted)
            drops = [each if each is wanted else type(each)(cache=cache) for each in drops]
        return self._page(
            request, "payments_admin/cache.html", cache.name, cache=cache, figures=figures(cache), breakers=breakers(cache),
            drops=drops if may_drop else [],
        )  # fmt: skip

    def _drop(self, request: HttpRequest, cache: AnyCache, drop: Drop) -> HttpResponse:
        try:
            drop.do()
        except RedisError:
            messages.error(request, _("Nothing was dropped: Redis does not answer."))
        else:
            # The log names entries by keyed hash, so it holds no personal data.
            self.log_change(request, Cache(name=cache.name), f"Dropped {drop.description()}.")
            messages.success(request, _("Dropped."))
        return HttpResponseRedirect(reverse("admin:payments_cache_change", args=[cache.name]))

    def _page(self, request: HttpRequest, template: str, title: object, **context: Any) -> HttpResponse:
        shared = {**self.admin_site.each_context(request), "title": title, "opts": self.model._meta}
        return TemplateResponse(request, template, {**shared, **context})


def known() -> dict[str, AnyCache]:
    """All caches by name."""
    bank.current()  # creates the cache of its access token
    return dict(sorted([*readthrough.registry.items(), *versioned.registry.items()]))


def figures(cache: AnyCache) -> dict[str, Any]:
    """The cache's figures, of all processes; empty if Redis does not answer."""
    try:
        metrics.flush()
        found = metrics.fleet(cache.name)
    except RedisError:
        return NO_FIGURES
    rate, p99 = found.pop("hit_rate"), found.pop("p99")
    percent = "-" if rate is None else f"{100 * rate:.1f} %"
    return {**found, "rate": percent, "p99": "-" if p99 is None else f"{1000 * p99:.0f} ms"}


def breakers(cache: AnyCache) -> dict[str, Any]:
    """The breakers of the cache's role of Redis, by server."""
    role = versioned.ROLE if isinstance(cache, VersionedCache) else "cache"
    return dict(redis.metrics().get(role, {}))


# ── forms that drop entries ──────────────────────────────────────────────────────────────────────────────────────────────


class Drop(forms.Form):
    """A form that drops entries. `name` tells the forms of a page apart."""

    name = ""
    title: Any = ""

    def __init__(self, data: Any = None, *, cache: AnyCache) -> None:
        super().__init__(data, prefix=self.name)
        self.cache: Any = cache
        for part in self.parts(cache):
            self.fields[part] = forms.CharField(label=part, max_length=200)

    @classmethod
    def fits(cls, cache: AnyCache) -> bool:
        """Whether the form makes sense for the cache."""
        return bool(cls.parts(cache))

    @classmethod
    def parts(cls, cache: AnyCache) -> tuple[str, ...]:
        """The form's fields: parts of a key, or tags."""
        raise NotImplementedError

    def do(self) -> None:
        """Drop."""
        raise NotImplementedError

    def description(self) -> str:
        """What was dropped, for the log."""
        raise NotImplementedError


class DropEntry(Drop):
    """Drop one entry, by the parts of its key."""

    name, title = "entry", _("One entry")

    @classmethod
    def parts(cls, cache: AnyCache) -> tuple[str, ...]:
        return ("id",) if isinstance(cache, VersionedCache) else cache.key

    @classmethod
    def fits(cls, cache: AnyCache) -> bool:
        return not cache.secret

    def clean_id(self) -> Any:
        """A row's number."""
        text = self.cleaned_data["id"]
        if isinstance(self.cache, VersionedCache) and not (text.isascii() and text.isdecimal() and len(text) < 19):
            raise forms.ValidationError(_("A whole number."))
        return int(text) if isinstance(self.cache, VersionedCache) else text

    def do(self) -> None:
        if isinstance(self.cache, VersionedCache):
            self.cache.invalidate(self.cleaned_data["id"])
        else:
            self.cache.invalidate(**self.cleaned_data)

    def description(self) -> str:
        if isinstance(self.cache, VersionedCache):
            return f"the entry {self.cleaned_data['id']}"
        return f"the entry {self.cache.entry_name(**self.cleaned_data)}"


class DropToken(Drop):
    """Drop an access token."""

    name, title = "token", _("The token: the next call fetches another")

    @classmethod
    def parts(cls, cache: AnyCache) -> tuple[str, ...]:
        return ()

    @classmethod
    def fits(cls, cache: AnyCache) -> bool:
        return cache.secret

    def do(self) -> None:
        self.cache.drop()

    def description(self) -> str:
        return "the token"


class DropTag(Drop):
    """Drop a tenant's entries that have a tag."""

    name, title = "tag", _("All of a tenant's entries with a tag")

    @classmethod
    def parts(cls, cache: AnyCache) -> tuple[str, ...]:
        return () if isinstance(cache, VersionedCache) or not cache.tags else (*_tenant(cache), *cache.tags)

    def __init__(self, data: Any = None, *, cache: AnyCache) -> None:
        super().__init__(data, cache=cache)
        for tag in self.cache.tags:
            self.fields[tag].required = len(self.cache.tags) == 1

    def do(self) -> None:
        given = {part: value for part, value in self.cleaned_data.items() if value or part == "tenant"}
        self.cache.invalidate_tag(**given)

    def description(self) -> str:
        return f"entries by {', '.join(part for part, value in self.cleaned_data.items() if value)}"


class DropTenant(Drop):
    """Drop all of a tenant's entries."""

    name, title = "tenant", _("All of a tenant's entries")

    @classmethod
    def parts(cls, cache: AnyCache) -> tuple[str, ...]:
        return () if isinstance(cache, VersionedCache) else _tenant(cache)

    def do(self) -> None:
        self.cache.invalidate_tenant(self.cleaned_data["tenant"])

    def description(self) -> str:
        return f"all entries of tenant {self.cleaned_data['tenant']}"


def _tenant(cache: ReadThroughCache) -> tuple[str, ...]:
    return ("tenant",) if "tenant" in cache.key else ()


DROPS: list[type[Drop]] = [DropEntry, DropToken, DropTag, DropTenant]

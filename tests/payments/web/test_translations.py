"""Every sentence has its Portuguese, and the compiled catalogue is the written one."""

from __future__ import annotations

import ast
import gettext
import re
from pathlib import Path

from django.conf import settings
from django.contrib import admin

from payments.admin import model_names
from payments.admin.caches import known

FOLDER = Path(settings.LOCALE_PATHS[0]) / "pt_BR" / "LC_MESSAGES"
SOURCES = Path(settings.BASE_DIR) / "payments"
LIMITS = Path(settings.BASE_DIR) / "woovi" / "ratelimit"  # the one room with pages of its own
_TAG = re.compile(r"""\{% translate (['"])(.*?)\1(?: context "(.*?)")?|_\((['"])(.*?)\4\)""")
_BLOCK = re.compile(r"\{% blocktranslate.*?%\}(.*?)\{% endblocktranslate")


def written() -> dict[str, str]:
    """The .po file's sentences; those with a context by `in_context`."""
    entry = r'(?:^msgctxt "(.*?)"\n)?^msgid (.*?)^msgstr (.*?)(?=^$|\Z)'
    entries = re.findall(entry, (FOLDER / "django.po").read_text(), re.M | re.S)

    def join(lines: str) -> str:
        return "".join(ast.literal_eval(line) for line in lines.splitlines() if line.startswith('"'))

    return {in_context(context, join(source)): join(target) for context, source, target in entries}


def in_context(context: str, source: str) -> str:
    """The key of a compiled sentence."""
    return f"{context}\x04{source}" if context else source


def used() -> set[str]:
    """The sentences of templates and code."""
    found: set[str] = set()
    for path in (*SOURCES.rglob("*.html"), *LIMITS.rglob("*.html")):
        found |= {in_context(match[3], match[2] or match[5]) for match in _TAG.finditer(path.read_text())}
        found |= {re.sub(r"\{\{ (\w+) \}\}", r"%(\1)s", text) for text in _BLOCK.findall(path.read_text())}
    for path in (
        *SOURCES.glob("*.py"),
        *SOURCES.glob("web/*.py"),
        *SOURCES.glob("templatetags/*.py"),
        *SOURCES.glob("admin/*.py"),
        *SOURCES.glob("models/*.py"),
        *LIMITS.glob("*.py"),
    ):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
                found.add(ast.literal_eval(node.args[0]))
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "pgettext_lazy":
                found.add(in_context(ast.literal_eval(node.args[0]), ast.literal_eval(node.args[1])))
    return found | model_names.sources | {str(cache.staleness) for cache in known().values()}


def test_nothing_is_left_untranslated() -> None:
    assert len(used()) > 80
    assert used() - {source for source, target in written().items() if target} == set()


def test_columns_and_hints_of_operators_pages_are_translated() -> None:
    """Those that are no model's field, which `model_names` sees to."""
    plain = {
        (type(page).__name__, text)
        for page in admin.site._registry.values()
        for text in (
            page.search_help_text,
            *(getattr(getattr(page, str(name), None), "short_description", None) for name in page.list_display),
            *(getattr(getattr(page, str(name), None), "short_description", None) for name in page.readonly_fields),
        )
        if isinstance(text, str) and text
    }
    assert plain == set()


def test_a_template_has_no_bare_percent_sign_to_translate() -> None:
    """Django looks for it doubled, and shows the English."""
    assert {
        text for path in SOURCES.rglob("*.html") for _, text, *_ in _TAG.findall(path.read_text()) if "%" in text
    } == set()


def test_nothing_is_translated_in_vain() -> None:
    assert set(written()) - used() - {""} == set()


def test_the_compiled_catalogue_is_the_written_one() -> None:
    with (FOLDER / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    assert {source: compiled.gettext(source) for source in written() if source} == {
        source: target for source, target in written().items() if source
    }


def test_placeholders_survive() -> None:
    for source, target in written().items():
        assert sorted(re.findall(r"%\(\w+\)s", source)) == sorted(re.findall(r"%\(\w+\)s", target))

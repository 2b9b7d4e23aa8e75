#!/usr/bin/env python
"""Django's command line, with the embedded engines started where a command needs them."""

import os
import sys

# Commands that never open a connection start nothing.
OFFLINE = {"help", "--help", "-h", "--version", "version", "compilemessages", "makemessages", "collectstatic"}


def main() -> None:
    """Run a command. Settings that refuse their values are named without a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "woovi.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from woovi.local import embedded

    try:
        if len(sys.argv) > 1 and sys.argv[1] not in OFFLINE:
            embedded.ensure()
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"{error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

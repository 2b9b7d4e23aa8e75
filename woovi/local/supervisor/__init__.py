"""Child processes on one terminal: started, watched, restarted, and all stopped at the end.

A `Supervisor` runs a table of `Child`ren, each in its own session, so that Ctrl-C reaches the supervisor alone. Its
`Log` puts their lines on one stream. A guard (`woovi.local.supervisor.guard`) ends them if the supervisor is killed.
"""

from woovi.local.supervisor.children import Child, Supervisor
from woovi.local.supervisor.log import Log
from woovi.local.supervisor.ports import listen

__all__ = ["Child", "Log", "Supervisor", "listen"]

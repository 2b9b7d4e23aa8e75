#!/usr/bin/env bash
# The guess: `import httpx` loads the same modules whatever else is installed; its command line is an extra, `httpx[cli]`.
# What happens: `import httpx` tries to import its command line too, and that succeeds wherever click, rich and pygments
#   are installed, whoever wanted them. Celery brings click, and rich brings pygments: in a project with both, every
#   process that imports httpx loads some hundred modules of a terminal program that it never runs.
# Versions: httpx 0.28.1, celery 5.7.0, rich 15.0.0, Python 3.11.
# Why it matters: a worker that calls an API pays some megabytes (4 measured) for progress bars that it never draws, and adding
#   rich for one management command changes the memory of all services. No setting leaves the import out; only not
#   installing rich where services run does.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
install() { env/bin/python -m pip install -q --disable-pip-version-check "$@" 2>/dev/null; }

loaded() {  # how many modules of these packages `import httpx` loads
    env/bin/python - <<'PY'
import sys
import httpx
print(sum(name.split(".")[0] in {"click", "rich", "pygments"} for name in sys.modules))
PY
}

install httpx==0.28.1 celery==5.7.0
without=$(loaded)
install rich==15.0.0
with=$(loaded)
echo "with httpx and celery installed, import httpx loads $without modules of click, rich and pygments"
echo "with rich installed too, it loads $with"
[ "$without" -lt 20 ]
[ "$with" -gt 50 ]

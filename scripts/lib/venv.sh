# Sourced by the scripts: brings .venv into the locked state and puts it first on PATH. Needs only Python 3.11+.

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3 python; do
    [ -n "$candidate" ] || continue
    command -v "$candidate" >/dev/null 2>&1 || continue
    if "$candidate" -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info[:2] <= (3, 14)))' 2>/dev/null; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  echo "error: no Python 3.11 to 3.14 found; install one, or name it: PYTHON=/path/to/python3 $0" >&2
  exit 1
}

# use_venv base|dev: installs the locked packages and this checkout, only when something changed since the last time.
use_venv() {
  local lock=requirements/$1.txt stamp=.venv/nitari-$1.stamp want
  if [ ! -x .venv/bin/python ]; then
    echo "creating .venv"
    "$(find_python)" -m venv .venv
  fi
  want=$(cat "$lock" pyproject.toml hatch_build.py src/nitari/index/kernels/native/* scripts/lib/venv.sh | cksum)
  if [ "$(cat "$stamp" 2>/dev/null)" != "$want" ]; then
    echo "installing what $lock pins"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock" 2> >(quiet_pip)
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . \
      2> >(quiet_pip)
    printf '%s\n' "$want" >"$stamp"
  fi
  PATH="$PWD/.venv/bin:$PATH"
  export PATH
}

# An index that lacks some package is no news for whoever waits for an installation.
quiet_pip() {
  grep -v '^WARNING: Location .* is ignored' >&2 || true
}

# Sourced by scripts/test: brings a headless Chromium for the page's tests where that needs no asking.

# use_browser: takes the Chromium or Chrome that is there; as root on Debian or Ubuntu, installs the distribution's own.
# Elsewhere the page's tests are skipped, and say why.
use_browser() {
  local candidate
  for candidate in "${NITARI_TEST_BROWSER:-}" chromium chromium-browser google-chrome google-chrome-stable; do
    [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 && return
  done
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || return 0
  echo "installing the distribution's Chromium for the page's tests"
  { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
      chromium fonts-noto-cjk; } >/dev/null 2>&1 || echo "it could not be installed; the page's tests are skipped" >&2
}

#!/usr/bin/env bash
# Makes the environment for the demonstration and the tests: Testing/setup.sh [VENV]
# Default: .venv at the project's root. Running it again does nothing unless the requirements changed.
# On Debian, missing system libraries are installed where that is allowed (as root or with sudo -n).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=${1:-$root/.venv}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo -n "$@"; else return 1; fi
}

install_system_packages() {
  command -v dpkg-query >/dev/null || return 0
  local missing=()
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "Installing system packages: ${missing[*]}"
  if ! { as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >/dev/null; then
    echo "These system packages could not be installed; tests that need them skip. Install them with: apt-get install ${missing[*]}" >&2
  fi
}

python_of_choice() {
  for name in python3 python3.12 python3.11; do
    if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null; then
      echo "$name"
      return 0
    fi
  done
  return 1
}

make_venv() {
  local python
  if ! python=$(python_of_choice); then
    install_system_packages python3 python3-venv
    python=$(python_of_choice) || { echo "Python 3.11 or 3.12 is needed. Install it (Debian: apt-get install python3 python3-venv) and run this again." >&2; exit 1; }
  fi
  "$python" -c 'import ensurepip' 2>/dev/null || install_system_packages "$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
  "$python" -m venv "$venv"
}

mapfile -t packages < <(grep -vE '^\s*(#|$)' "$root/Testing/system-packages.txt")
install_system_packages "${packages[@]}"
[ -x "$venv/bin/python" ] || make_venv

stamp=$venv/crossmodal-requirements.sha256
wanted=$(cat "$root/Testing/requirements.txt" "$root/pyproject.toml" <(echo "$root") | sha256sum)
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
  echo "Installing Python packages into $venv (some minutes the first time)"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$root/Testing/requirements.txt"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable "$root"
  echo "$wanted" > "$stamp"
fi

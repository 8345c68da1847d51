# Python programs from PyPI, each in a virtual environment of its own in the ignored target folder.

bring_python() {
  # The module that makes environments is a package of its own on Debian.
  python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return
  say "   no Python 3.11 with venv"
  install_package 'apt-get:python3 python3-venv' dnf:python3 'apk:python3 py3-pip' pacman:python brew:python3 ||
    cannot_install "Python 3.11 or later with venv" "Install it (Debian: python3 python3-venv)."
}

# python_environment NAME REQUIREMENTS: makes the environment with exactly those packages, unless it is there. Sets
# PYTHON_ENVIRONMENT to its folder.
python_environment() {
  PYTHON_ENVIRONMENT=$PWD/target/python/$1
  ! cmp -s "$2" "$PYTHON_ENVIRONMENT/requirements.txt" || return 0
  bring_python
  rm -rf "$PYTHON_ENVIRONMENT"
  mkdir -p "${PYTHON_ENVIRONMENT%/*}"
  note "PyPI: $2"
  if ! { python3 -m venv "$PYTHON_ENVIRONMENT" && "$PYTHON_ENVIRONMENT/bin/pip" install --quiet \
    --disable-pip-version-check --no-deps --requirement "$2"; } >>"$INSTALL_LOG" 2>&1; then
    rm -rf "$PYTHON_ENVIRONMENT"
    fail "The Python packages of $2 could not be installed. Is PyPI reachable? The end of $INSTALL_LOG:" \
      "$(tail -n 4 "$INSTALL_LOG")"
  fi
  # Last, so that what was interrupted is made anew.
  cp "$2" "$PYTHON_ENVIRONMENT/requirements.txt"
}

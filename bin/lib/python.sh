# Python programs from PyPI, each set of them in an environment of its own inside target/.

bring_python() {
  python3 -c 'import ensurepip, venv' 2>/dev/null && return
  say "   no python3 that can make virtual environments"
  install_package 'apt-get:python3 python3-venv' dnf:python3 apk:python3 pacman:python brew:python3 ||
    cannot_install Python "Install python3 with venv (Debian: python3-venv)."
}

# python_environment NAME PACKAGE==VERSION…: makes target/python/NAME with these, unless it is there already. Sets
# PYTHON_PROGRAMS to the folder of its programs.
python_environment() {
  local folder=$PWD/target/python/$1
  shift
  # shellcheck disable=SC2034 # its callers read it
  PYTHON_PROGRAMS=$folder/bin
  [ "$(cat "$folder/packages" 2>/dev/null)" != "$*" ] || return 0
  rm -rf "$folder"
  mkdir -p "$(dirname "$folder")"
  python3 -m venv "$folder" || return
  "$folder/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: "$@" || return
  say "$*" >"$folder/packages"
}

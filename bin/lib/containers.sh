# Podman, and the run of what deploy/ holds for it, in namespaces of its own: neither the machine's own containers, images
# and networks nor its ports are in them, and whatever happens, all of it is gone when the first process in them is.

# Where what makes a run short is kept: images that deploy/ builds on, and what Cargo compiled.
CONTAINERS_CACHE=$PWD/target/containers

# What runs under it mounts what nobody else sees, and all that it starts ends with it.
IN_NAMESPACES='unshare --mount --pid --fork --kill-child --mount-proc'

# containers_possible: says what is missing where this machine can run none at all.
containers_possible() {
  if [ "$(uname)" != Linux ]; then
    say "   skipped: containers, which need Linux"
  elif ! may_be_root; then
    say "   skipped: containers, which need root, or sudo without a password"
  # shellcheck disable=SC2086 # several words
  elif command -v unshare >/dev/null && ! as_root $IN_NAMESPACES true 2>/dev/null; then
    say "   skipped: containers, for which the kernel would have to let root make namespaces"
  else
    return 0
  fi
  return 1
}

bring_podman() {
  containers_possible >/dev/null || return 0
  bring_python
  has_podman && return
  say "   no podman with netavark"
  install_package 'apt-get:podman runc netavark aardvark-dns iptables iproute2 debootstrap' \
    'dnf:podman netavark aardvark-dns iproute debootstrap' 'apk:podman aardvark-dns iproute2 util-linux-misc debootstrap' \
    'pacman:podman netavark aardvark-dns iproute2 debootstrap' ||
    cannot_install podman "Install it (Debian: podman runc netavark aardvark-dns iptables iproute2)."
}

has_podman() {
  command -v podman >/dev/null && command -v ip >/dev/null &&
    first_program /usr/{lib,libexec,local/libexec,local/lib}/podman/netavark >/dev/null
}

# run_containers FOLDER: everything that it writes is there, but for what it keeps.
run_containers() {
  local variables
  containers_possible || return 0
  python_environment containers tests/containers/requirements.txt
  mkdir -p "$1" "$CONTAINERS_CACHE"
  CONTAINERS_FOLDER=$1
  variables=("PATH=$PYTHON_ENVIRONMENT/bin:$PATH:/usr/sbin:/sbin" "FOLDER=$1" "CACHE=$CONTAINERS_CACHE"
    "TOOLCHAIN=$(rustc --print sysroot)" "CARGO_HOME=${CARGO_HOME:-$HOME/.cargo}")
  # The process with that id is the only one that has to be ended, and root's even where this is not.
  run as_root env "${variables[@]}" sh -c "echo \$\$ >\"\$FOLDER/pid\" && exec $IN_NAMESPACES bash tests/containers/run.sh"
}

# end_containers: ends it where it was interrupted. What root made is root's to remove, or to hand over.
end_containers() {
  local first
  [ -n "${CONTAINERS_FOLDER:-}" ] || return 0
  first=$(cat "$CONTAINERS_FOLDER/pid" 2>/dev/null)
  [[ $(command_of "$first" 2>/dev/null) != *tests/containers/run.sh* ]] || as_root kill -s KILL "$first"
  remove_control_groups
  as_root rm -rf "$CONTAINERS_FOLDER"
  as_root chown -R "$(id -u):$(id -g)" "$CONTAINERS_CACHE"
}

# remove_control_groups: those of its containers; they outlive namespaces. One that is in use cannot be removed.
remove_control_groups() {
  local container names=(-false)
  for container in "$CONTAINERS_FOLDER"/places/var/lib/containers/storage/*-containers/*/; do
    names+=(-o -name "libpod-*$(basename "$container")*")
  done
  as_root find /sys/fs/cgroup -depth -type d \( "${names[@]}" -o -path '*/libpod_parent/conmon' -o -name libpod_parent \) \
    -exec rmdir {} + 2>/dev/null
}

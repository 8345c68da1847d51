#!/usr/bin/env bash
# Builds the image of deploy/ and runs its Compose file: what `bin/test containers` starts, as the first process of
# namespaces that hold nothing else. FOLDER is for what it writes, CACHE for what it keeps; Rust is in TOOLCHAIN, and
# CARGO_HOME may have the machine's settings for Cargo.
set -euo pipefail
. bin/lib/output.sh

main() {
  own_places
  own_settings
  step "Base images" provide_base_images
  step "Image" build_image
  unshare --net bash -c 'ip link set lo up && exec python3 tests/containers/conversation.py'
}

# Podman's places are this run's own, so that it cannot see what the machine has.
own_places() {
  local place
  for place in /var/lib/containers /run/containers /run/libpod /run/netns; do
    mkdir -p "$place" "$FOLDER/places$place"
    mount --bind "$FOLDER/places$place" "$place"
  done
  mount -t tmpfs tmpfs /dev/shm
  export HOME=$FOLDER/home TMPDIR=$FOLDER/tmp
  mkdir -p "$HOME" "$TMPDIR"
  # The secrets of this run, where whoever runs it may have a file of real ones.
  cp -R deploy "$FOLDER/deploy"
  fill_in deploy/compose.env.example >"$FOLDER/deploy/.env"
  mount --bind "$FOLDER/deploy" deploy
}

fill_in() {
  local name script=''
  for name in OTP_SECRET POSTGRES_PASSWORD REDIS_PASSWORD GRAFANA_PASSWORD TWILIO_API_KEY; do
    script+="s/^$name=$/&$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')/;"
  done
  script+="s/^TWILIO_SID=$/&AC$(printf '%032d' 1)/; s/^TWILIO_PHONE_NUMBER=$/&+15005550006/"
  sed "$script" "$1"
  echo TWILIO_BASE_URL=https://twilio.test:8443
}

own_settings() {
  local files=$FOLDER/settings
  mkdir "$files"
  export CONTAINERS_CONF=$files/containers.conf CONTAINERS_STORAGE_CONF=$files/storage.conf
  # Podman's own choice is more than some kernels allow.
  {
    say '[containers]'
    say "default_ulimits = [\"nofile=$(ulimit -Sn):$(ulimit -Hn)\", \"nproc=$(ulimit -Su):$(ulimit -Hu)\"]"
    say 'label = false'
    say '[engine]'
    ! command -v runc >/dev/null || say 'runtime = "runc"'
    say 'cgroup_manager = "cgroupfs"'
    say 'events_logger = "file"'
    say '[network]'
    say 'network_backend = "netavark"'
  } >"$CONTAINERS_CONF"
  storage_settings overlay
  podman info >/dev/null 2>&1 || storage_settings vfs
  # A release as far as the programs can tell, but compiled as quickly as `cargo build` does.
  sed -n '/^\[profile\.dev/,/^\[profile\.release/p' Cargo.toml | sed -E '/^\[profile\.release/d
    s/^\[profile\.dev\]/[profile.release]\nopt-level = 0\nlto = "off"\ncodegen-units = 256/
    s/^\[profile\.dev/[profile.release/' >"$files/cargo.toml"
  export BUILDAH_ISOLATION=chroot BUILDAH_FORMAT=docker
}

storage_settings() {
  {
    say '[storage]'
    say "driver = \"$1\""
    say 'graphroot = "/var/lib/containers/storage"'
    say 'runroot = "/run/containers/storage"'
  } >"$CONTAINERS_STORAGE_CONF"
}

# The images that deploy/ names, but for Grafana's, which this run does without.
base_images() {
  sed -nE 's/^FROM ([^ ]+).*/\1/p; s/^ +image: (.+:.+)/\1/p' deploy/Dockerfile deploy/compose.yaml | grep -v grafana
}

provide_base_images() {
  local archive=$CACHE/base-images.tar images made_from
  images=$(base_images)
  made_from=$({ say "$images" && "$TOOLCHAIN/bin/rustc" --version && cat tests/containers/stand-ins/*; } | sha256sum)
  if [ -e "$archive" ] && [ "$made_from" = "$(cat "$archive.made-from" 2>/dev/null)" ]; then
    podman load --quiet --input "$archive" >/dev/null
    return
  fi
  rm -f "$archive"
  # shellcheck disable=SC2086 # one argument an image
  pull $images || make_stand_ins $images || return
  # shellcheck disable=SC2086
  podman save --quiet --multi-image-archive --output "$archive" $images || return
  say "$made_from" >"$archive.made-from"
}

pull() {
  local image
  for image in "$@"; do
    timeout 900 podman pull --quiet "$image" >/dev/null 2>"$FOLDER/pull.log" || return
  done
}

# make_stand_ins IMAGE…: Debian's own by debootstrap, the others upon it.
make_stand_ins() {
  local image name debian=''
  say "   No registry of images was reached, so Debian's packages stand in. $(tail -n 1 "$FOLDER/pull.log")"
  for image in "$@"; do
    [[ $image != */debian:* ]] || debian=$image
  done
  # shellcheck disable=SC2046 # none, or one
  loudly_if_it_fails "$FOLDER/debootstrap.log" debootstrap --variant=minbase bookworm "$FOLDER/rootfs" $(debian_mirror) ||
    return
  tar -C "$FOLDER/rootfs" -c . | podman import --quiet - "$debian" >/dev/null || return
  # Whom this machine trusts, and where its Cargo finds crates.
  mkdir -p "$FOLDER/machine/etc/ssl/certs" "$FOLDER/machine/usr/local/cargo"
  cp /etc/ssl/certs/ca-certificates.crt "$FOLDER/machine/etc/ssl/certs/"
  [ ! -e "$CARGO_HOME/config.toml" ] || cp "$CARGO_HOME/config.toml" "$FOLDER/machine/usr/local/cargo/"
  for image in "$@"; do
    name=${image##*/} name=${name%%:*}
    [ "$image" != "$debian" ] || continue
    loudly_if_it_fails "$FOLDER/build.log" podman build --network host --build-arg "DEBIAN=$debian" --target "$name" \
      --tag "$image" --build-context "toolchain=$TOOLCHAIN" --build-context "machine=$FOLDER/machine" \
      tests/containers/stand-ins || return
  done
}

# debian_mirror: prints where this machine has its packages from, if it is a Debian of that version.
debian_mirror() {
  # shellcheck disable=SC2016 # apt expands it
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' 2>/dev/null | head -n 1
}

build_image() {
  # Where the builder keeps what a `RUN --mount=type=cache` leaves.
  mkdir -p "$CACHE/mounts" "$TMPDIR/buildah-cache"
  mount --bind "$CACHE/mounts" "$TMPDIR/buildah-cache"
  loudly_if_it_fails "$FOLDER/build.log" podman-compose --file deploy/compose.yaml \
    --podman-build-args "--network host --volume $FOLDER/settings/cargo.toml:/.cargo/config.toml:ro" build api
}

loudly_if_it_fails() {
  local log=$1 code=0
  shift
  "$@" >"$log" 2>&1 || code=$?
  [ "$code" -eq 0 ] || tail -n 40 "$log"
  return "$code"
}

main

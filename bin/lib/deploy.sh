# Checks of what deploy/ holds. They read it; none of them runs it.

# The most that `systemd-analyze security` may find exposed: 15 is what it shows as 1.5 of 10.
EXPOSURE=15

bring_deploy_checkers() {
  bring_python
  bring_promtool
  bring_systemd_analyze
}

bring_promtool() {
  command -v promtool >/dev/null && return
  say "   no promtool"
  install_package apt-get:prometheus dnf:golang-github-prometheus apk:prometheus pacman:prometheus brew:prometheus ||
    cannot_install promtool "Install it: it comes with Prometheus."
  # Debian's package would start a server at the next boot.
  [ "$(package_manager)" != apt-get ] || as_root update-rc.d prometheus disable >>"$INSTALL_LOG" 2>&1 || true
}

bring_systemd_analyze() {
  [ "$(uname)" = Linux ] || return 0
  command -v systemd-analyze >/dev/null && return
  say "   no systemd-analyze"
  install_package apt-get:systemd dnf:systemd pacman:systemd ||
    cannot_install systemd-analyze "Install it: it comes with systemd."
}

# check_deploy FOLDER: checks all of it. The folder is for what it writes.
check_deploy() {
  python_environment deploy tests/deploy/requirements.txt
  CHECKERS=$PYTHON_ENVIRONMENT/bin
  run "$CHECKERS/yamllint" --strict --config-file tests/deploy/yamllint.yaml deploy tests/deploy || return
  run "$CHECKERS/hadolint" deploy/Dockerfile || return
  check_compose "$1" || return
  check_kubernetes "$1" || return
  run promtool check rules deploy/prometheus/alerts.yml || return
  run promtool check config deploy/prometheus/prometheus.yml || return
  check_units "$1"
}

check_compose() {
  run "$CHECKERS/check-jsonschema" --builtin-schema vendor.compose-spec deploy/compose.yaml || return
  if ! docker compose version >/dev/null 2>&1; then
    say "   skipped: docker compose config, for want of docker compose"
    return
  fi
  # Where its file of secrets is there, too.
  cp -R deploy "$1/compose"
  printf '%s=a-secret-of-the-check\n' POSTGRES_PASSWORD REDIS_PASSWORD GRAFANA_PASSWORD OTP_SECRET >"$1/compose/.env"
  run docker compose --file "$1/compose/compose.yaml" config --quiet
}

check_kubernetes() {
  local folder=deploy/kubernetes
  run "$CHECKERS/kubernetes-validate" --strict --quiet "$folder"/base/[!k]*.yaml "$folder"/example/[!k]*.yaml || return
  if ! command -v kubectl >/dev/null; then
    say "   skipped: kubectl kustomize, for want of kubectl"
    return
  fi
  run kubectl kustomize "$folder/example" >"$1/kubernetes.yaml" || return
  run "$CHECKERS/kubernetes-validate" --strict --quiet "$1/kubernetes.yaml"
}

# check_units FOLDER: as they would be installed under it, beside the system's own units.
check_units() {
  local units program found
  if [ "$(uname)" != Linux ]; then
    say "   skipped: systemd-analyze, which is for Linux"
    return
  fi
  mkdir -p "$1/opt/cheershare/bin" "$1/bin" "$1/etc/systemd/system" "$1/usr/lib/systemd"
  cp -R /usr/lib/systemd/system "$1/usr/lib/systemd/" || return
  cp deploy/systemd/*.service "$1/etc/systemd/system/"
  for program in opt/cheershare/bin/{api,worker,migration} bin/kill; do
    printf '#!/bin/sh\n' >"$1/$program"
    chmod 755 "$1/$program"
  done
  units=(cheershare-api.service cheershare-migration.service cheershare-worker@9465.service)
  # What it does not understand it says, and passes all the same.
  if ! found=$(run systemd-analyze verify --man=no --root="$1" "${units[@]}" 2>&1) || [ -n "$found" ]; then
    say "$found"
    return 1
  fi
  if ! run systemd-analyze security --no-pager --offline=yes --threshold="$EXPOSURE" deploy/systemd/*.service \
    >"$1/exposure" 2>&1; then
    grep -E '^✗|exposure' "$1/exposure"
    return 1
  fi
  grep exposure "$1/exposure"
}

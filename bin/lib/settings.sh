# The settings that the scripts share with the programs, read as the programs do: the environment, else `.env`.

# setting NAME [DEFAULT]: prints its value. An empty variable counts as not set, and hides the one in `.env`.
setting() {
  local value
  value=${!1-$(dotenv_value "$1")}
  say "${value:-${2:-}}"
}

# dotenv_value NAME: prints what `.env` gives it, without quotes or a comment after it.
dotenv_value() {
  local line
  [ -f .env ] || return 0
  line=$(grep -m 1 -E "^[[:space:]]*(export[[:space:]]+)?$1[[:space:]]*=" .env) || return 0
  line=${line#*=}
  line=${line#"${line%%[![:space:]]*}"}
  case $line in
    \"*) line=${line#\"} line=${line%%\"*} ;;
    \'*) line=${line#\'} line=${line%%\'*} ;;
    *) line=${line%%[[:space:]]#*} line=${line%"${line##*[![:space:]]}"} ;;
  esac
  say "$line"
}

# Ports and small conversations over TCP, with nothing but bash.

# port_taken HOST PORT: whether something listens there.
port_taken() {
  (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null
}

# free_port: prints a port of 127.0.0.1 on which nothing listens, below the range that outgoing connections take.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    port_taken 127.0.0.1 "$port" || break
  done
  say "$port"
}

# ask HOST PORT TEXT: sends the text and prints the first line of the answer, waiting at most 2 seconds for it.
ask() {
  (
    exec 3<>"/dev/tcp/$1/$2" || exit 1
    printf '%b' "$3" >&3
    IFS= read -r -t 2 line <&3 || exit 1
    printf '%s\n' "${line%$'\r'}"
  ) 2>/dev/null
}

# http_ok HOST PORT PATH: whether a GET is answered with 200.
http_ok() {
  local line
  line=$(ask "$1" "$2" "GET $3 HTTP/1.1\r\nHost: $1:$2\r\nConnection: close\r\n\r\n") || return 1
  [[ $line == HTTP/1.?" 200"* ]]
}

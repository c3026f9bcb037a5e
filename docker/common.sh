# shellcheck shell=bash
# What images.sh, stack.sh, tests.sh and ../lab share: settings, messages, the engine. Works with bash 3.2 (macOS).

failure=1
say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit $failure; }

# .env, read as compose reads it: KEY=VALUE lines, and the environment goes first.
load_settings() {
  local key value
  if [ -f .env ]; then
    while IFS='=' read -r key value || [ -n "$key" ]; do
      case $key in '' | '#'* | *[!A-Za-z0-9_]*) continue ;; esac
      value=${value%$'\r'}
      case $value in \"*\" | \'*\') value=${value:1:${#value}-2} ;; esac
      [ -n "${!key+set}" ] || export "$key=$value"
    done < .env
  fi
  export INGEST_LAB_PROJECT="${INGEST_LAB_PROJECT:-ingest-lab}" INGEST_LAB_TAG="${INGEST_LAB_TAG:-local}"
}

# The engine this command line talks to: DOCKER_HOST, else the current context.
engine_address() {
  if [ -n "${DOCKER_HOST:-}" ]; then echo "$DOCKER_HOST"; else docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null; fi
}

need_engine() {
  command -v docker >/dev/null 2>&1 || die "There is no docker command on PATH: install a container engine and its command line."
  docker version >/dev/null 2>&1 || die "The container engine is not reachable at $(engine_address): start it, or set DOCKER_HOST."
}

# need_image NAME [VERB]: ends with the verb that builds it where it is not here; a bundle's images have a tag of their own.
need_image() {
  local tag
  docker image inspect "$1" >/dev/null 2>&1 && return
  tag=$(docker image ls --format '{{.Tag}}' "${1%:*}" | grep -v '<none>' | head -n 1 || true)
  die "The image $1 is missing: run \`make ${2:-images}\`${tag:+, or \`export INGEST_LAB_TAG=$tag\` for the images of that tag, which are here}."
}

# Options that make tar write files as the lab's user (10001), whatever their owner here: GNU tar, else bsdtar.
tar_as_lab() {
  if tar --version 2>/dev/null | grep -q GNU; then echo "--owner=10001 --group=10001"; else echo "--uid 10001 --gid 10001"; fi
}

# The engine's socket as a path that a container can mount. An engine in a virtual machine (Docker Desktop, Colima,
# OrbStack) has it at the usual place inside, whatever its address is out here.
engine_socket() {
  local address; address=$(engine_address)
  if [ -n "${INGEST_LAB_SOCKET:-}" ]; then echo "$INGEST_LAB_SOCKET"; return; fi
  case $address in
    unix://*) ;;
    npipe://*) echo /var/run/docker.sock; return ;;
    *) die "The container engine is at $address, whose socket cannot be mounted from here: run the lab on this host instead (cargo run --release --bin lab -- ARGS), or set INGEST_LAB_SOCKET." ;;
  esac
  if [ "$(uname -s)" != Linux ] || docker info --format '{{.OperatingSystem}}' 2>/dev/null | grep -q 'Docker Desktop'; then echo /var/run/docker.sock
  else echo "${address#unix://}"; fi
}

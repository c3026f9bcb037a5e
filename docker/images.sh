#!/usr/bin/env bash
# Builds the images `make lab` needs: from the official base images where the registry answers, else,
# on Debian with root, from stand-ins made of Debian packages. `images.sh ceilings python test` builds the images
# of the ceilings and of the Python peers and the test image as well.
# Every image says which it was (label ingest-lab.base), and every result repeats it.
set -euo pipefail
cd "$(dirname "$0")/.."
. docker/common.sh
. docker/sources.sh

readonly suite=trixie
readonly seconds_for_registry=10
mkdir -p target
log=$PWD/target/images.log

# step "what" COMMAND...: one line of progress; the output goes to the log, whose end is shown on failure.
step() {
  local what=$1 started=$SECONDS; shift
  printf 'images: %s ... ' "$what" >&2
  printf '\n==== %s\n' "$what" >>"$log"
  if "$@" >>"$log" 2>&1; then say "$((SECONDS - started)) s"; else
    say "failed"
    tail -n 25 "$log" >&2
    die "images: $what failed; all of it is in $log. If a download failed, .env.example has the settings for mirrors, proxies and certificates."
  fi
}

# ---- official base images ---------------------------------------------------------------------------

# official NAME: the reference that the Dockerfile pins for debian, postgres or rust, behind the mirror if there is one.
official() {
  local name; name=$(printf '%s' "$1" | tr '[:lower:]' '[:upper:]')_IMAGE
  echo "${INGEST_LAB_REGISTRY:+${INGEST_LAB_REGISTRY%/}/}$(sed -n "s/^ARG $name=//p" docker/Dockerfile)"
}

have() { docker image inspect "$1" >/dev/null 2>&1; }

# Pulls REF. Returns 0 pulled, 1 refused, 2 registry not reached. The answer is in $answer.
pull() {
  local output pid waited=0
  output=$(mktemp)
  docker pull "$1" >"$output" 2>&1 &
  pid=$!
  # The first line comes once the registry has named the layers: from then on it is reachable and may take its time.
  while kill -0 "$pid" 2>/dev/null && ! grep -q 'Pulling from' "$output"; do
    if [ "$waited" -ge $((seconds_for_registry * 10)) ]; then
      kill "$pid" 2>/dev/null || true
      wait "$pid" 2>/dev/null || true
      rm -f "$output"; answer="no answer in $seconds_for_registry s"; return 2
    fi
    sleep 0.1; waited=$((waited + 1))
  done
  if wait "$pid"; then rm -f "$output"; return 0; fi
  answer=$(tail -n 1 "$output"); answer=${answer#Error response from daemon: }; cat "$output" >>"$log"; rm -f "$output"
  case $answer in
    *"no such host"* | *"onnection refused"* | *imeout* | *"is unreachable"* | *"no route to host"* | *"server misbehaving"* | *"deadline exceeded"* | *"failure in name resolution"* | *proxyconnect*) return 2 ;;
    *) return 1 ;;
  esac
}

# Sets base=official and pulls what is missing, or returns 1 where the registry is out of reach.
use_official() {
  local name ref result
  for name in debian postgres rust; do
    ref=$(official "$name")
    have "$ref" && continue
    say "images: pulling $name"
    result=0; pull "$ref" || result=$?
    case $result:$answer in
      0:*) ;;
      2:*) [ -z "${INGEST_LAB_REGISTRY:-}" ] || die "images: the mirror INGEST_LAB_REGISTRY=$INGEST_LAB_REGISTRY cannot be reached ($answer): correct that setting in .env, or leave it out."
         return 1 ;;
      *x509* | *certificate*) die "images: the engine does not trust the registry's certificate ($answer): give the engine your certificates, or set INGEST_LAB_REGISTRY in .env to a mirror it trusts." ;;
      *) die "images: the registry refused $name ($answer): set INGEST_LAB_REGISTRY in .env to a mirror you may pull from, or log in with \`docker login\`." ;;
    esac
  done
  base=official debian=$(official debian) postgres=$(official postgres) rust=$(official rust)
}

# ---- stand-ins ----------------------------------------------------------------------------------------

# The Debian archive to use: the setting, else the first one that this host's own apt uses (both file formats).
debian_mirror() {
  if [ -n "${INGEST_LAB_APT_MIRROR:-}" ]; then echo "$INGEST_LAB_APT_MIRROR"; return; fi
  cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    awk '$1 == "URIs:" { print $2 } $1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) { print $i; break } }' |
    grep '/debian/*$' | head -n 1 || true
}

# at_least HAVE WANT: compares versions.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# Prints why stand-ins cannot be built here; nothing where they can.
why_no_stand_ins() {
  local want; want=$(sed -n 's/^rust-version *= *"\([^"]*\)".*/\1/p' Cargo.toml)
  if [ "$(uname -s)" != Linux ] || ! grep -qE '^ID(_LIKE)?=.*debian' /etc/os-release 2>/dev/null; then echo "this is not a Debian host"
  elif [ "$(id -u)" != 0 ]; then echo "this is not root"
  elif case $(engine_address) in unix://*) false ;; *) true ;; esac then echo "the engine is on another host"
  elif ! command -v rustc >/dev/null || ! command -v cargo >/dev/null; then echo "there is no Rust $want on this host"
  elif ! at_least "$(rustc --version | cut -d' ' -f2)" "$want"; then echo "this host's Rust is older than $want"
  elif [ -z "$(debian_mirror)" ]; then echo "apt on this host names no Debian archive; INGEST_LAB_APT_MIRROR may"
  fi
}

# The certificates that containers shall trust while building: the setting, else, for stand-ins, the host's.
ca_bundle() {
  local file=${INGEST_LAB_CA_BUNDLE:-}
  [ -n "$file" ] || [ "$base" = official ] || file=/etc/ssl/certs/ca-certificates.crt
  [ -z "$file" ] || [ -r "$file" ] || die "images: cannot read INGEST_LAB_CA_BUNDLE=$file: correct that setting in .env."
  echo "$file"
}

# These run under step's `if`, where bash ignores set -e: so each is one chain of &&.
import_debian() (
  root=$(mktemp -d /var/tmp/ingest-lab.XXXXXX) && trap 'rm -rf "$root"' EXIT &&
    { command -v debootstrap || { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends debootstrap; }; } &&
    debootstrap --variant=minbase "$suite" "$root" "$(debian_mirror)" &&
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/var/log/bootstrap.log &&
    tar -C "$root" --numeric-owner -c . |
      docker import --change 'LABEL ingest-lab.base=stand-in' --change 'CMD ["bash"]' - "$debian"
)

# PostgreSQL as the official image lays it out: user 999, binaries on PATH.
build_postgres() (
  context=$(mktemp -d) && trap 'rm -rf "$context"' EXIT &&
    cp docker/apt-install.sh "$context" &&
    cat >"$context/Dockerfile" <<END &&
FROM $debian
RUN groupadd --system --gid 999 postgres && useradd --system --uid 999 --gid 999 --home-dir /var/lib/postgresql --shell /bin/bash postgres
COPY apt-install.sh /usr/local/sbin/apt-install
# Without a cluster of the package's own.
RUN install -d /etc/postgresql-common && echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf && sh /usr/local/sbin/apt-install postgresql-17
ENV PATH=/usr/lib/postgresql/17/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
END
    docker build "${build_args[@]}" -t "$postgres" "$context"
)

# The host's own toolchain on Debian's linker, streamed in as the build's context
# (transform's S: rename the files, not where symbolic links point).
build_rust() (
  context=$(mktemp -d) && trap 'rm -rf "$context"' EXIT &&
    cp docker/apt-install.sh "$context" && cp "$(ca_bundle)" "$context/ca.crt" &&
    cat >"$context/Dockerfile" <<END &&
FROM $debian
COPY apt-install.sh /usr/local/sbin/apt-install
RUN sh /usr/local/sbin/apt-install gcc libc6-dev
COPY ca.crt /etc/ssl/certs/ca-certificates.crt
COPY rust /usr/local
END
    tar -c --transform 's,^\.,rust,S' -C "$context" Dockerfile apt-install.sh ca.crt -C "$(rustc --print sysroot)" --exclude=./share/doc . |
      docker build "${build_args[@]}" -t "$rust" -
)

use_stand_ins() {
  local toolchain certificates made=no
  base=stand-in
  toolchain=$(rustc --version | cut -d' ' -f2)
  certificates=$(sha256sum "$(ca_bundle)" | cut -c 1-12)
  debian=ingest-lab-base-debian:$suite postgres=ingest-lab-base-postgres:17-$suite rust=ingest-lab-base-rust:$toolchain-$certificates
  have "$debian" || { step "Debian $suite from packages (about 1 min)" import_debian; made=yes; }
  have "$postgres" || { step "PostgreSQL 17 from packages" build_postgres; made=yes; }
  have "$rust" || { step "Rust $toolchain from this host" build_rust; made=yes; }
  if [ $made = yes ]; then say "images: registry not reachable, built stand-ins from Debian packages; results will say so."
  else say "images: using the stand-ins built from Debian packages; results will say so (\`make clean\` forgets them)."; fi
}

stand_ins_exist() { have "ingest-lab-base-debian:$suite" && [ -z "${INGEST_LAB_REGISTRY:-}" ] && [ -z "$(why_no_stand_ins)" ]; }

# ---- the project's images -------------------------------------------------------------------------------

# An official Rust image that trusts the user's certificates; only the builder is made from it.
add_certificates() (
  context=$(mktemp -d) && trap 'rm -rf "$context"' EXIT &&
    cp "$(ca_bundle)" "$context/ca.crt" &&
    printf 'FROM %s\nLABEL ingest-lab.role=build\nCOPY ca.crt /etc/ssl/certs/ca-certificates.crt\n' "$rust" >"$context/Dockerfile" &&
    docker build -t ingest-lab-base-rust:certificates "$context"
)

sum() { if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1; }

# lock TARGET: SHA-256 of the file that pins what is in it.
lock() { case $1 in python) sum docker/python/requirements.txt ;; db) ;; *) sum Cargo.lock ;; esac; }

build_target() {
  docker build -f docker/Dockerfile --target "$1" -t "ingest-lab-$1:$INGEST_LAB_TAG" "${build_args[@]}" \
    --build-arg DEBIAN_IMAGE="$debian" --build-arg POSTGRES_IMAGE="$postgres" --build-arg RUST_IMAGE="$rust" \
    --build-arg BASE="$base" --build-arg REVISION="$revision" --build-arg VERSION="$version" --build-arg LOCK="$(lock "$1")" \
    --build-arg CHANGES="$changes" .
}

main() {
  load_settings
  need_engine
  : >"$log"
  answer=""
  # Proxies by name only: the builder takes their values from here and keeps them out of the image.
  build_args=(--build-arg HTTP_PROXY --build-arg HTTPS_PROXY --build-arg NO_PROXY --build-arg http_proxy --build-arg https_proxy --build-arg no_proxy
    --build-arg "APT_MIRROR=${INGEST_LAB_APT_MIRROR:-}" --build-arg "CARGO_MIRROR=${INGEST_LAB_CARGO_MIRROR:-}"
    --build-arg "PIP_MIRROR=${INGEST_LAB_PIP_MIRROR:-}")
  export http_proxy=${http_proxy:-${HTTP_PROXY:-}} https_proxy=${https_proxy:-${HTTPS_PROXY:-}} no_proxy=${no_proxy:-${NO_PROXY:-}}

  if stand_ins_exist; then use_stand_ins
  elif ! use_official; then
    local reason; reason=$(why_no_stand_ins)
    [ -z "$reason" ] || die "images: the registry is not reachable ($answer), and stand-ins cannot be built because $reason: set INGEST_LAB_REGISTRY in .env to a mirror."
    use_stand_ins
  elif [ -n "$(ca_bundle)" ]; then
    step "certificates for the builder" add_certificates
    rust=ingest-lab-base-rust:certificates
  fi

  revision=$(revision) version=$(sed -n 's/^version *= *"\([^"]*\)".*/\1/p' Cargo.toml | head -n 1)
  difference > target/tree.diff
  # Tells two builds of one revision apart that had other changes: `lab bundle --include-diff` asks.
  changes=""
  [ ! -s target/tree.diff ] || changes=$(sum target/tree.diff)
  local target
  step "db" build_target db
  if have "ingest-lab-ingester:$INGEST_LAB_TAG"; then step "ingester" build_target ingester
  else step "ingester, after all dependencies (some minutes)" build_target ingester; fi
  for target in link lab "$@"; do step "$target" build_target "$target"; done
  # What the tags pointed to before; not the build stages, which are the cache (a stand-in's label is theirs too).
  docker image prune --force --filter label=ingest-lab.base --filter label!=ingest-lab.role=build >>"$log" 2>&1 || true
}

main "$@"

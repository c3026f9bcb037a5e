#!/usr/bin/env bash
# The stack by hand; the Makefile calls this.
#   stack.sh up                  start db and link and wait until both are healthy
#   stack.sh down                stop the stack and whatever the lab left running; keep images and data
#   stack.sh with COMMAND...     up, run the command, down; ends with the command's exit code
#   stack.sh doctor              say what this machine can measure
#   stack.sh psql [ARGS]         a psql in the db container
#   stack.sh publish             give the database a free port on 127.0.0.1, until the stack goes
#   stack.sh fetch STATE NN      get a state's real files from the Bureau into data/
#   stack.sh clean               down, and free this project's images and volumes; results stay
#   stack.sh e2e                 one pass of the whole stack under a name of its own, and nothing left behind
set -euo pipefail
cd "$(dirname "$0")/.."
. docker/common.sh
load_settings

find_compose() {
  if docker compose version >/dev/null 2>&1; then compose_command=(docker compose)
  elif command -v docker-compose >/dev/null 2>&1; then compose_command=(docker-compose)
  else die "There is neither \`docker compose\` nor \`docker-compose\`: install the compose plugin."; fi
}
profiles=lab,by-hand,storage
# Its many lines are shown only where it fails.
compose() {
  local output
  output=$(COMPOSE_PROFILES=$profiles "${compose_command[@]}" -p "$INGEST_LAB_PROJECT" -f docker-compose.yml "$@" 2>&1) && return
  say "$output"
  die "\`${compose_command[*]} $*\` failed: its output is above."
}

container_of() {
  docker ps -aq --filter "label=com.docker.compose.project=$INGEST_LAB_PROJECT" --filter "label=com.docker.compose.service=$1" \
    --filter label=com.docker.compose.oneoff=False | head -n 1
}

need_images() {
  local image
  for image in db link lab ingester; do
    need_image "ingest-lab-$image:$INGEST_LAB_TAG"
  done
}

# compose 1.29 fails on newer engines when it has to recreate a container (KeyError: 'ContainerConfig').
down_if_outdated() {
  local service id
  for service in db link; do
    id=$(container_of $service)
    [ -n "$id" ] || continue
    [ "$(docker inspect -f '{{.Image}}' "$id")" = "$(docker image inspect -f '{{.Id}}' "ingest-lab-$service:$INGEST_LAB_TAG")" ] || { down; return; }
  done
}

wait_healthy() {
  local service=$1 id state deadline=$((SECONDS + 120))
  id=$(container_of "$service")
  while :; do
    state=$(docker inspect -f '{{.State.Status}} {{.State.Health.Status}}' "$id" 2>/dev/null || echo "gone")
    case $state in
      "running healthy") return ;;
      running\ * | created\ * | restarting\ *) [ $SECONDS -lt $deadline ] || break ;;
      *) break ;;
    esac
    sleep 0.3
  done
  [ -z "$id" ] || docker logs --tail 20 "$id" >&2 || true
  die "The $service container is not healthy (it is: $state); its last lines are above. \`make down\` removes the stack."
}

up() {
  need_images
  down_if_outdated
  say "stack: starting"
  compose up -d db link
  compose up --no-start db-tmpfs # at rest until a cell asks for it
  wait_healthy db
  wait_healthy link
}

down() {
  local ids
  # The lab's own containers first: a network with an endpoint cannot be removed.
  ids=$(docker ps -aq --filter "label=ingest-lab.stack=$INGEST_LAB_PROJECT" | tr '\n' ' ')
  # shellcheck disable=SC2086
  for id in $ids; do
    [ -n "$(docker inspect -f '{{index .Config.Labels "com.docker.compose.project"}}' "$id" 2>/dev/null)" ] || docker rm -fv "$id" >/dev/null 2>&1 || true
  done
  # The network that leads to a database outside, where a lab that used one was killed.
  each 'docker network rm' docker network ls -q --filter "label=ingest-lab.stack=$INGEST_LAB_PROJECT" --filter label=ingest-lab.outside
  # Every profile, so that it sees what was started by hand too.
  profiles=$profiles,publish compose down --remove-orphans "$@"
  # The lab's own volumes are not the compose project's.
  [ "${1:-}" != --volumes ] || docker volume ls -q --filter "label=ingest-lab.stack=$INGEST_LAB_PROJECT" | xargs -r docker volume rm >/dev/null
}

with() {
  local code=0
  # Whatever happens from here on, the stack goes. Ctrl-C reaches the command as well: it ends in order, then we do.
  trap 'down' EXIT
  trap : INT TERM
  trap 'exec >/dev/null 2>&1' HUP # the terminal is gone, and what is written to it would be an error
  up
  "$@" || code=$?
  exit "$code"
}

# On the stack that is up, else on one that is up for as long as it takes.
doctor() { if [ -n "$(container_of db)" ]; then exec ./lab doctor; else with ./lab doctor; fi; }

psql() {
  local id terminal=-i; id=$(container_of db)
  [ -n "$id" ] || die "The stack is not up: run \`make up\`."
  if [ -t 0 ] && [ -t 1 ]; then terminal=-it; fi
  # shellcheck disable=SC2016 # expanded in the container
  exec docker exec $terminal "$id" sh -c 'PGPASSWORD=$(cat /run/ingest-lab/password) exec psql -h 127.0.0.1 -U ingest -d ingest "$@"' psql "$@"
}

publish() {
  local db id address
  db=$(container_of db)
  [ -n "$db" ] || die "The stack is not up: run \`make up\`."
  profiles=publish compose up -d --no-deps published
  wait_healthy published
  id=$(container_of published)
  address=$(docker port "$id" 5432/tcp | head -n 1)
  say "The database is at $address until \`make down\`, on this host only:"
  say "  psql \"postgresql://ingest@$address/ingest?sslmode=verify-full&sslrootcert=ca.crt\""
  say "  its password:     docker exec ${db:0:12} cat /run/ingest-lab/password"
  say "  its certificate:  docker cp ${db:0:12}:/run/ingest-lab/ca.crt ."
}

fetch() {
  if [ -z "${1:-}" ] || [ -z "${2:-}" ]; then die "Say which: make fetch STATE=\"New York\" SEGMENT=1"; fi
  local code=0 terminal=() environment=() name
  [ -t 1 ] && terminal=(-t)
  for name in HTTP_PROXY HTTPS_PROXY NO_PROXY; do [ -z "${!name:-}" ] || environment+=(-e "$name"); done
  [ -z "${INGEST_LAB_CA_BUNDLE:-}" ] || environment+=(-e SSL_CERT_FILE=/lab/ca.crt)
  fetcher=$(docker create --init ${terminal[@]+"${terminal[@]}"} ${environment[@]+"${environment[@]}"} --read-only --tmpfs /tmp --volume /lab --cap-drop ALL --security-opt no-new-privileges:true \
    --label "ingest-lab.stack=$INGEST_LAB_PROJECT" "ingest-lab-ingester:$INGEST_LAB_TAG" fetch "$1" --segment "$2")
  trap 'docker rm -fv "$fetcher" >/dev/null 2>&1' EXIT
  trap : INT TERM
  [ -z "${INGEST_LAB_CA_BUNDLE:-}" ] || docker cp -L "$INGEST_LAB_CA_BUNDLE" "$fetcher:/lab/ca.crt" >/dev/null 2>&1
  docker start -a "$fetcher" || code=$?
  # What arrived counts even where it is not all: a checksum lies beside each complete file.
  docker cp "$fetcher:/lab/data" - | tar -x --no-same-owner -f - || code=1
  exit "$code"
}

# each "COMMAND" LIST...: runs the command on every line that the list prints. (Not every xargs knows -r.)
each() {
  local command=$1 line; shift
  "$@" | while read -r line; do $command "$line" >/dev/null || true; done
}

clean() {
  down --volumes
  each 'docker volume rm' docker volume ls -q --filter "label=ingest-lab.stack=$INGEST_LAB_PROJECT"
  # Of this tag: another one may be somebody else's work. What images are built on is no one's, and made again.
  each 'docker rmi' docker image ls --filter label=ingest-lab.base --filter "reference=ingest-lab-*:$INGEST_LAB_TAG" --filter 'reference=ingest-lab-base-*' --format '{{.Repository}}:{{.Tag}}'
  each 'docker rmi' docker image ls --filter label=ingest-lab.role --filter "reference=ingest-lab-*:$INGEST_LAB_TAG" --format '{{.Repository}}:{{.Tag}}'
  docker image prune --force --filter label=ingest-lab.base >/dev/null
  docker image prune --force --filter label=ingest-lab.role=build >/dev/null
  say "Freed this project's images and volumes. results/ and data/ are untouched."
}

# What is left of the project on the engine: containers and networks.
leftovers() {
  docker ps -aq --filter "label=ingest-lab.stack=$INGEST_LAB_PROJECT"
  docker network ls -q --filter "label=ingest-lab.stack=$INGEST_LAB_PROJECT"
}

# A name and a folder of its own: a stack that is up keeps running, and nobody's data or results are touched.
# With real Census files at hand (INGEST_LAB_SHARED, as in the tests) it ingests those, else generated ones.
e2e() {
  export INGEST_LAB_PROJECT="${INGEST_LAB_PROJECT}-e2e"
  local real=${INGEST_LAB_SHARED:-}/data/ny00001.truncated.uf1.zip folder
  folder=$(mktemp -d)
  mkdir "$folder/data"
  cp -R lab docker experiments docker-compose.yml "$folder"
  down --volumes # an earlier pass may have been killed
  if [ -e "$real" ]; then
    cp "$real" "$folder/data/"
    derive_header "$folder/data" "$(basename "$real")"
  else
    say "e2e: skipped real Census data, because INGEST_LAB_SHARED names no folder with it; using generated data"
  fi
  cat >"$folder/experiments/e2e.toml" <<'END'
question = "Does the whole stack ingest 500 lines under each scheme, and put back the limit it set?"
seed = 1
blocks = 1
[stop]
geo_records = 500
lines = 500
[[cells]]
scheme = ["threads", "async"]
statement = ["executemany"]
commit = ["record"]
pool = [15]
[[cells]]
scheme = ["processes"]
statement = ["row"]
commit = ["record"]
pool = [4]
db_cpus = ["0.5"]
END
  ( with "$folder/lab" run e2e ) || { down --volumes; die "e2e: the run failed."; }
  [ -z "$(leftovers)" ] || die "e2e: these containers or networks are left over: $(leftovers | tr '\n' ' ')"
  down --volumes
  check_results "$folder" "$real"
  rm -rf "$folder"
  say "e2e: the stack came up, every run verified, and nothing was left behind."
}

# The geographic header of a segment's archive, made by the ingester's own container.
derive_header() {
  local id
  id=$(docker create --read-only --tmpfs /tmp --volume /lab --network none --cap-drop ALL --security-opt no-new-privileges:true \
    --label "ingest-lab.stack=$INGEST_LAB_PROJECT" "ingest-lab-ingester:$INGEST_LAB_TAG" geo-from "data/$2")
  tar -c -C "$(dirname "$1")" --owner=10001 --group=10001 data | docker cp - "$id:/lab" >/dev/null
  docker start -a "$id" >&2
  docker cp "$id:/lab/data" - | tar -x --no-same-owner -C "$(dirname "$1")" -f -
  docker rm -fv "$id" >/dev/null
}

# Every cell ran, and the database held exactly the 500 lines' 111,000 elements; their sum is known for real data.
check_results() {
  local file scheme wanted='"rows": *111000'
  [ ! -e "$2" ] || wanted='"sum": *109372318600' # hundredths
  for file in "$1"/results/*/run-*.json; do
    grep -q '"verified": *true' "$file" || die "e2e: $file is not verified."
    case $file in */run-000.json) continue ;; esac # the warm-up ends after seconds, whatever it has done by then
    tr -d '\n' <"$file" | grep -Eq "$wanted" || die "e2e: $file does not hold $wanted."
  done
  for scheme in threads async processes; do
    grep -lq "\"scheme\": *\"$scheme\"" "$1"/results/*/run-*.json || die "e2e: no run of $scheme."
  done
}

need_engine
find_compose
case ${1:-} in
  up | down | with | doctor | psql | publish | fetch | clean | e2e) verb=$1; shift; "$verb" "$@" ;;
  *) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac

#!/usr/bin/env bash
# cargo ARGS in the test image, for hosts without cargo. Sources are streamed in, so no host path has to mean
# anything to the engine; what is built stays in a volume. Tests start containers of their own and reach their
# ports on the host's network.
set -euo pipefail
cd "$(dirname "$0")/.."
. docker/common.sh
load_settings
need_engine
image=ingest-lab-test:$INGEST_LAB_TAG
need_image "$image" images-test

docker volume create --label "ingest-lab.stack=$INGEST_LAB_PROJECT" ingest-lab-target >/dev/null
container=$(docker create --init --network host --label "ingest-lab.stack=$INGEST_LAB_PROJECT" \
  -v ingest-lab-target:/target -v "$(engine_socket):/var/run/docker.sock" \
  -e RUSTDOCFLAGS -e INGEST_LAB_DB_IMAGE -e CI -e HTTP_PROXY -e HTTPS_PROXY -e NO_PROXY "$image" cargo "$@")
trap 'docker rm -fv "$container" >/dev/null 2>&1' EXIT
trap : INT TERM
tar -c --exclude ./target --exclude ./fuzz/target --exclude ./.git --exclude ./results . | docker cp - "$container:/src"
docker start -a "$container"

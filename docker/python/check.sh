#!/usr/bin/env bash
# The Python peers' own tests, in their image: what needs a database says that it is skipped, unless PEER_TEST_DBURL
# names one (tests/peers.rs tries the peers on a stack).
set -euo pipefail
cd "$(dirname "$0")/../.."
. docker/common.sh
load_settings
need_engine
image=ingest-lab-python:$INGEST_LAB_TAG
need_image "$image" python

container=$(docker create --label "ingest-lab.stack=$INGEST_LAB_PROJECT" -e PEER_TEST_DBURL --workdir /lab/docker/python \
  --entrypoint /opt/peer/bin/python "$image" -m unittest discover -s tests -t .)
trap 'docker rm -fv "$container" >/dev/null 2>&1' EXIT
trap : INT TERM
# shellcheck disable=SC2046 # two options
tar --exclude __pycache__ $(tar_as_lab) -c docker/python/tests docs/peer-contract.md | docker cp - "$container:/lab" >/dev/null
docker start -a "$container"

#!/usr/bin/env bash
# The Python peers' own tests, in their image: all of them, or those that are named.
#   docker/python/check.sh [tests.test_job …]
# What needs a database says that it is skipped, unless PEER_TEST_DBURL names one, as seen from the network that
# PEER_TEST_NETWORK names (tests/peers.rs does so with a stack's).
set -euo pipefail
cd "$(dirname "$0")/../.."
. docker/common.sh
load_settings
need_engine
image=ingest-lab-python:$INGEST_LAB_TAG
need_image "$image" python

tests=(discover -s tests -t .)
[ $# = 0 ] || tests=("$@")
container=$(docker create --label "ingest-lab.stack=$INGEST_LAB_PROJECT" -e PEER_TEST_DBURL --workdir /lab/docker/python \
  --network "${PEER_TEST_NETWORK:-bridge}" --entrypoint /opt/peer/bin/python "$image" -m unittest "${tests[@]}")
trap 'docker rm -fv "$container" >/dev/null 2>&1' EXIT
trap : INT TERM
# shellcheck disable=SC2046 # two options
tar --exclude __pycache__ $(tar_as_lab) -c docker/python/tests docs/peer-contract.md | docker cp - "$container:/lab" >/dev/null
docker start -a "$container"

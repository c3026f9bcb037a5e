#!/usr/bin/env bash
# Builds ingest-lab-db:slow-sync, whose commits wait 5 ms longer for the disk, and gives the other images that tag too.
set -euo pipefail
cd "$(dirname "$0")"
tag=${INGEST_LAB_TAG:-local}
# Whatever the other images were built with has a C compiler.
compiler=$(docker images --format '{{.Repository}}:{{.Tag}}' ingest-lab-base-rust | head -n 1)
[ -n "$compiler" ] || compiler=$(sed -n 's/^ARG RUST_IMAGE=//p' ../../docker/Dockerfile)
docker build -q -t ingest-lab-db:slow-sync --build-arg COMPILER="$compiler" --build-arg DB="ingest-lab-db:$tag" . >/dev/null
for image in link lab ingester; do docker tag "ingest-lab-$image:$tag" "ingest-lab-$image:slow-sync"; done

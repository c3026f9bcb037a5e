#!/bin/sh
# Starts PostgreSQL; on the first start makes the cluster, the user and database `ingest`, and its password.
# Where $PGWAL names a directory, the write-ahead log is kept there.
# The password is $POSTGRES_PASSWORD, or a random one in /run/ingest-lab/password, which group 10001 may read.
set -eu
secret=/run/ingest-lab/password
umask 077

password=${POSTGRES_PASSWORD:-}
if [ -z "$password" ] && [ ! -s "$secret" ]; then
  # Written aside and moved: a reader sees all of it or nothing.
  od -An -N24 -tx1 /dev/urandom | tr -d ' \n' > "$secret.new"
  chgrp 10001 "$secret.new"
  chmod 0440 "$secret.new"
  mv "$secret.new" "$secret"
  renew=yes # a cluster that is older than its password file has to be told
fi
[ -n "$password" ] || password=$(cat "$secret")

# Single-user mode: no socket, no port, so nobody takes a half-made cluster for a ready one.
single() { postgres --single -D "$PGDATA" "$1" > /dev/null; }

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  # Made aside and moved: a start that is killed leaves nothing that looks finished.
  final=$PGDATA PGDATA=$PGDATA.new
  rm -rf "$PGDATA" ${PGWAL:+"$PGWAL/pg_wal"}
  pwfile=$(mktemp /tmp/password.XXXXXX)
  printf '%s\n' "$password" > "$pwfile"
  initdb -D "$PGDATA" ${PGWAL:+--waldir="$PGWAL/pg_wal"} --username=ingest --pwfile="$pwfile" --auth=scram-sha-256 \
    --encoding=UTF8 --locale=C.UTF-8 --locale-provider=builtin --builtin-locale=C.UTF-8 --no-instructions
  rm -f "$pwfile"
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  echo 'CREATE DATABASE ingest' | single postgres
  echo 'CREATE EXTENSION pg_stat_statements' | single ingest
  mv "$PGDATA" "$final"
  PGDATA=$final
elif [ "${renew:-no}" = yes ]; then
  # Our own hexadecimal digits: safe to quote.
  echo "ALTER ROLE ingest PASSWORD '$password'" | single postgres
fi

unset POSTGRES_PASSWORD password
export PGDATA
exec postgres -c config_file=/etc/ingest-lab/postgresql.conf "$@"

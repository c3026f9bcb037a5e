#!/bin/sh
# Starts PostgreSQL; on the first start makes the cluster, the user and database `ingest`, its password, and a
# certificate for TLS. Where $PGWAL names a directory, the write-ahead log is kept there.
# The password is $POSTGRES_PASSWORD, or a random one in /run/ingest-lab/password, which group 10001 may read.
# Beside it lie server.crt and server.key, which only PostgreSQL may read, and ca.crt, which clients verify by.
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

# The authority signs this one certificate, then nobody has its key any more. It is good for ten years: a stack is not
# meant to end by itself.
certificate() {
  folder=$(mktemp -d /tmp/certificate.XXXXXX)
  cat > "$folder/names" <<'END'
[req]
distinguished_name = subject
[subject]
[ca]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = DNS:link, DNS:db, DNS:db-tmpfs, DNS:localhost, IP:127.0.0.1
END
  new() { openssl req -quiet -config "$folder/names" -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 3650 "$@"; }
  new -extensions ca -subj '/CN=Ingest Lab, this stack only' -keyout "$folder/ca.key" -out "$folder/ca.crt"
  new -extensions server -subj '/CN=db' -CA "$folder/ca.crt" -CAkey "$folder/ca.key" \
    -keyout "$folder/server.key" -out "$folder/server.crt"
  # The authority last: who finds it finds the others, whole.
  for name in server.key server.crt ca.crt; do
    cp "$folder/$name" "${secret%/*}/$name.new"
    case $name in *.crt) chmod 0444 "${secret%/*}/$name.new" ;; esac
    mv "${secret%/*}/$name.new" "${secret%/*}/$name"
  done
  rm -rf "$folder"
}
[ -s "${secret%/*}/ca.crt" ] || certificate

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

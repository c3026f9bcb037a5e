#!/bin/sh
# apt-install PACKAGE...: install Debian packages in an image and leave nothing else behind.
# APT_MIRROR (a URL ending in /debian) replaces the archive's address; the security archive is taken from beside it.
set -eu
if [ -n "${APT_MIRROR:-}" ]; then
  for list in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
    [ -f "$list" ] || continue
    sed -i -E "s#https?://[^ ]*/debian(-security)?/?( |\$)#${APT_MIRROR%/}\1\2#g" "$list"
  done
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -o Acquire::Retries=3 update
apt-get -o Acquire::Retries=3 install -y --no-install-recommends "$@"
apt-get clean
rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log

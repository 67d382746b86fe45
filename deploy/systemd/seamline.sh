#!/bin/sh
# `seamline` as the units run it: with their settings, and as their user. Root calls it.
set -eu
umask 077
cd /opt/seamline
export HOME=/var/lib/seamline
export SEAMLINE_LANDING=/var/lib/seamline/landing
export SEAMLINE_SOURCES=/etc/seamline/sources.toml
export DAGSTER_HOME=/var/lib/seamline/dagster
export SEAMLINE_WAREHOUSE=ducklake:sqlite:/var/lib/seamline/warehouse/catalog.sqlite
export SEAMLINE_COLUMNS=/etc/seamline/columns.yml
# What it says wins over these, as in the units.
if [ -e /etc/seamline/seamline.env ]; then
    set -a
    . /etc/seamline/seamline.env
    set +a
fi
exec runuser -u seamline -- /opt/seamline/.venv/bin/seamline "$@"
